# What is refused. Which sentence tells it is held by tests/infra.

variables {
  project_id = "my-project"
  root       = "../../.."

  table = {
    prefix = "segue"
    bundle = { files = [], folders = [], suffixes = [], without = [] }
    stages = {
      ingest = {
        budget    = "25s"
        memory    = "512Mi"
        public    = true
        publishes = ["events"]
        secrets   = ["SEGUE_INGEST_TOKEN"]
        stores    = false
        timeout   = 30
        trigger   = "http"
      }
      route = {
        ack_deadline = "1m"
        budget       = "50s"
        max_attempts = 20
        memory       = "1Gi"
        retry        = { max = "60s", min = "500ms" }
        schedule     = "* * * * *"
        timeout      = "55s"
        topic        = "events"
        trigger      = "topic"
      }
      bury = {
        ack_deadline = "60s"
        budget       = "50s"
        max_attempts = 100
        memory       = "512Mi"
        retry        = { max = "10m", min = "10s" }
        timeout      = "55s"
        trigger      = "dead-letters"
      }
    }
  }
}

run "a_budget_that_reaches_the_timeout" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { budget = "55s" })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "a_timeout_beyond_the_ack_deadline" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { timeout = "61s" })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "a_timeout_beyond_what_a_push_waits" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        ingest = merge(var.table.stages.ingest, { timeout = "601s" })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "an_ack_deadline_beyond_ten_minutes" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { ack_deadline = "11m" })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "an_ack_deadline_below_ten_seconds" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { ack_deadline = "9s", budget = "7s", timeout = "8s" })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "a_duration_without_a_unit_that_is_known" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { budget = "50 sec" })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "attempts_below_five" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { max_attempts = 4 })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "attempts_beyond_a_hundred" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        bury = merge(var.table.stages.bury, { max_attempts = 101 })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "a_backoff_beyond_ten_minutes" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { retry = { max = "601s", min = "1s" } })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "a_backoff_that_shrinks" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { retry = { max = "1s", min = "2s" } })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "a_retry_without_a_maximum" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { retry = { min = "2s" } })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "a_filter_of_257_bytes" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { filter = format("%0257d", 0) })
      })
    })
  }

  expect_failures = [output.subscriptions]
}

run "several_requests_at_once_on_half_a_cpu" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { cpu = "0.5" })
      })
    })
  }

  expect_failures = [output.stages]
}

run "memory_that_half_a_cpu_does_not_go_with" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { concurrency = 1, cpu = "0.5", memory = "2Gi" })
      })
    })
  }

  expect_failures = [output.stages]
}

run "memory_too_small_for_four_cpus" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { cpu = "4" })
      })
    })
  }

  expect_failures = [output.stages]
}

run "three_cpus" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { cpu = "3" })
      })
    })
  }

  expect_failures = [output.stages]
}

run "memory_in_megabytes" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { memory = "512MB" })
      })
    })
  }

  expect_failures = [output.stages]
}

run "more_instances_at_least_than_at_most" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { max_instances = 1, min_instances = 2 })
      })
    })
  }

  expect_failures = [output.stages]
}

run "an_unknown_key" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { colour = "red" })
      })
    })
  }

  expect_failures = [output.stages]
}

run "an_unknown_trigger" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        ingest = merge(var.table.stages.ingest, { trigger = "cron" })
      })
    })
  }

  expect_failures = [output.stages]
}

run "a_missing_deadline" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { ack_deadline = null })
      })
    })
  }

  expect_failures = [output.stages]
}

run "a_missing_topic" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { topic = null })
      })
    })
  }

  expect_failures = [output.stages, output.topics]
}

run "a_topic_for_a_stage_over_http" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        ingest = merge(var.table.stages.ingest, { topic = "x" })
      })
    })
  }

  expect_failures = [output.stages]
}

run "a_public_stage_behind_a_topic" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { public = true })
      })
    })
  }

  expect_failures = [output.stages]
}

run "two_stages_that_bury" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { schedule = null, topic = null, trigger = "dead-letters" })
      })
    })
  }

  expect_failures = [output.stages, output.topics]
}

run "publishing_where_nobody_reads" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        ingest = merge(var.table.stages.ingest, { publishes = ["nowhere"] })
      })
    })
  }

  expect_failures = [output.topics]
}

run "a_topic_with_a_name_too_long" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { topic = format("x%0250d", 0) })
      })
    })
  }

  expect_failures = [output.topics]
}

run "a_topic_that_is_another_stages" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { topic = "bury-dead" })
      })
    })
  }

  expect_failures = [output.topics]
}

run "a_bundle_with_data_that_is_not_there" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { data = ["nowhere"] })
      })
    })
  }

  expect_failures = [output.bundles]
}

run "a_schedule_of_four_fields" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { schedule = "* * * *" })
      })
    })
  }

  expect_failures = [output.schedules]
}

run "a_table_without_stages" {
  command = plan

  variables {
    table = { bundle = {}, prefix = "segue", stages = {} }
  }

  expect_failures = [output.stages]
}

run "a_table_without_bundle" {
  command = plan

  variables {
    table = { for key, value in var.table : key => value if key != "bundle" }
  }

  expect_failures = [output.bundles]
}

run "a_prefix_too_long_for_service_accounts" {
  command = plan

  variables {
    prefix = "a-prefix-of-25-characters"
  }

  expect_failures = [output.stages]
}

run "a_stage_with_a_name_too_long" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        anameofthirtyonelettersandnoless = var.table.stages.ingest
      })
    })
  }

  expect_failures = [output.stages, output.bundles]
}

run "an_override_of_no_stage" {
  command = plan

  variables {
    stage_overrides = { rout = { cpu = "2" } }
  }

  expect_failures = [output.stages]
}

run "an_override_that_does_not_fit" {
  command = plan

  variables {
    stage_overrides = { route = { memory = "8Gi" } }
  }

  expect_failures = [output.stages]
}

run "a_secret_that_no_stage_takes" {
  command = plan

  variables {
    secrets = { SEGUE_COLOUR = { version = 1 } }
  }

  expect_failures = [output.secrets]
}

run "a_secret_both_stored_and_kept_elsewhere" {
  command = plan

  variables {
    secrets = { SEGUE_INGEST_TOKEN = { existing = "a", version = 1 } }
  }

  expect_failures = [output.secrets]
}

run "a_secret_neither_stored_nor_kept_elsewhere" {
  command = plan

  variables {
    secrets = { SEGUE_INGEST_TOKEN = {} }
  }

  expect_failures = [output.secrets]
}

run "a_secret_among_plain_variables" {
  command = plan

  variables {
    environment = { SEGUE_INGEST_TOKEN = "x" }
  }

  expect_failures = [output.stages]
}

run "a_variable_that_is_the_deployments" {
  command = plan

  variables {
    environment = { SEGUE_DATABASE = "x" }
  }

  expect_failures = [output.stages]
}

run "a_variable_that_is_not_ours" {
  command = plan

  variables {
    environment = { PATH = "/" }
  }

  expect_failures = [output.stages]
}
