# What is refused before anything is planned. What is wrong with the stage
# table is refused by modules/plan, which has tests of its own.

mock_provider "archive" {}
mock_provider "google" {}

# Not what this is about, and the most of the work.
override_module {
  target  = module.bury
  outputs = { dead_letter_topic = "projects/my-project/topics/t", url = "https://x" }
}

override_module {
  target  = module.stage
  outputs = { topic = "projects/my-project/topics/t", url = "https://x" }
}

variables {
  project_id = "my-project"
}

run "a_project_that_is_none" {
  command = plan
  variables {
    project_id = "My Project"
  }
  expect_failures = [var.project_id]
}

run "a_region_that_is_a_zone" {
  command = plan
  variables {
    region = "us-central1-a"
  }
  expect_failures = [var.region]
}

run "a_database_with_a_name_too_short" {
  command = plan
  variables {
    firestore = { database = "db" }
  }
  expect_failures = [var.firestore]
}

run "a_stored_secret_without_a_value" {
  command = plan
  variables {
    secrets = { SEGUE_SLACK_TOKEN = { version = 1 } }
  }
  expect_failures = [var.secrets]
}

run "a_langfuse_without_a_scheme" {
  command = plan
  variables {
    langfuse = { host = "cloud.langfuse.com", public_key = "pk" }
  }
  expect_failures = [var.langfuse]
}

run "a_key_in_another_region" {
  command = plan
  variables {
    kms_key = "projects/k/locations/europe-west1/keyRings/r/cryptoKeys/c"
  }
  expect_failures = [var.kms_key]
}

run "more_than_all_runs_traced" {
  command = plan
  variables {
    trace_sample = 1.5
  }
  expect_failures = [var.trace_sample]
}

run "nothing_kept_at_all" {
  command = plan
  variables {
    retention_days = 0
  }
  expect_failures = [var.retention_days]
}

run "a_domain_with_a_scheme" {
  command = plan
  variables {
    custom_domain = "https://events.example.com"
  }
  expect_failures = [var.custom_domain]
}
