# What an operator can get wrong is refused, each with a message that says what to change.
variables {
  parked_subscription = "segue-bury-dead"
  prefix              = "segue"
  project_id          = "my-project"
  region              = "us-central1"
  stages = {
    generate = { budget = 285, function = "segue-generate", subscriptions = ["segue-generate"], dead_letter_subscription = "segue-generate-dead" }
    ingest   = { budget = 25, function = "segue-ingest" }
    sweep    = { budget = 50, function = "segue-sweep", subscriptions = ["segue-sweep"], dead_letter_subscription = "segue-sweep-dead" }
  }
}

run "defaults_hold" {
  command = plan

  assert {
    condition     = output.alerts["spend"].query == "sum(increase(logging_googleapis_com:user_segue_cost_usd_sum{monitored_resource=\"cloud_run_revision\"}[1h])) > 5"
    error_message = "the default of alerts.spend_usd_per_hour is 5"
  }
  assert {
    condition     = length(output.dashboard.mosaicLayout.tiles) > 20
    error_message = "the dashboard has lost its tiles"
  }
}

run "null_is_the_default" {
  command = plan

  variables {
    alerts = { spend_usd_per_hour = null, dead_letters = 3 }
  }
  assert {
    condition     = endswith(output.alerts["spend"].query, "> 5") && endswith(output.alerts["dead_letter"].query, "> 3")
    error_message = "a null threshold must have its default, and others their value"
  }
}

run "a_hyphen_in_the_prefix" {
  command = plan

  variables {
    prefix = "segue-dev"
  }
  assert {
    condition     = output.metrics["dead_letters"].name == "segue-dev/dead_letters" && strcontains(output.alerts["dead_letter"].query, "logging_googleapis_com:user_segue_dev_dead_letters{")
    error_message = "PromQL has _ for everything that is special in a metric's name"
  }
}

run "an_address_of_the_runbook" {
  command = plan

  variables {
    runbook_url = "https://git.example.com/segue/infra/README.md"
  }
  assert {
    condition     = output.alerts["parked"].runbook_url == "https://git.example.com/segue/infra/README.md#alert-parked"
    error_message = "an alert must link to its own section"
  }
}

run "backlog_below_a_budget" {
  command = plan

  variables {
    alerts = { oldest_unacked_seconds = 200 }
  }
  expect_failures = [var.alerts]
}

run "error_ratio_in_percent" {
  command = plan

  variables {
    alerts = { error_ratio = 5 }
  }
  expect_failures = [var.alerts]
}

run "half_a_dead_letter" {
  command = plan

  variables {
    alerts = { dead_letters = 0.5 }
  }
  expect_failures = [var.alerts]
}

run "no_time_at_all" {
  command = plan

  variables {
    alerts = { run_latency_seconds = 0 }
  }
  expect_failures = [var.alerts]
}

run "no_runs_needed" {
  command = plan

  variables {
    alerts = { min_runs = 0 }
  }
  expect_failures = [var.alerts]
}

run "objective_in_percent" {
  command = plan

  variables {
    alerts = { slo = 99 }
  }
  expect_failures = [var.alerts]
}

run "objective_that_cannot_burn" {
  command = plan

  variables {
    alerts = { slo = 0.9 }
  }
  expect_failures = [var.alerts]
}

run "spend_of_nothing" {
  command = plan

  variables {
    alerts = { spend_usd_per_hour = 0 }
  }
  expect_failures = [var.alerts]
}

run "sweep_silence_too_short" {
  command = plan

  variables {
    alerts = { sweep_silence_minutes = 2 }
  }
  expect_failures = [var.alerts]
}

run "prefix_with_capitals" {
  command = plan

  variables {
    prefix = "Segue"
  }
  expect_failures = [var.prefix]
}

run "runbook_with_a_fragment" {
  command = plan

  variables {
    runbook_url = "https://git.example.com/README.md#top"
  }
  expect_failures = [var.runbook_url]
}

run "no_sweep" {
  command = plan

  variables {
    stages = { ingest = { budget = 25, function = "segue-ingest" } }
  }
  expect_failures = [var.stages]
}
