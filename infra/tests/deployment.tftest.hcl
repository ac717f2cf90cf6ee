# The whole, as it is planned in an empty project: nothing that is only known
# after the apply decides what there will be.

mock_provider "archive" {}
mock_provider "google" {}

variables {
  project_id    = "my-project"
  secrets       = { SEGUE_INGEST_TOKEN = { existing = "token" }, SEGUE_SLACK_TOKEN = { version = 2 } }
  secret_values = { SEGUE_SLACK_TOKEN = "xoxb" }
}

run "everything_that_there_can_be" {
  command = plan

  variables {
    custom_domain = "events.example.com"
    kms_key       = "projects/k/locations/us-central1/keyRings/r/cryptoKeys/c"
    otlp_endpoint = "https://telemetry.googleapis.com"
    vpc           = { network = "n", subnetwork = "s" }
  }

  assert {
    condition     = output.ingest_url == "https://events.example.com"
    error_message = "ingest is reached by its own domain"
  }
  assert {
    condition = (
      google_secret_manager_secret.default["SEGUE_SLACK_TOKEN"].secret_id == "segue-slack-token"
      && google_secret_manager_secret_version.default["SEGUE_SLACK_TOKEN"].secret_data_wo_version == 2
      && length(google_secret_manager_secret.default) == 1
    )
    error_message = "only the secret that Terraform stores is made"
  }
  assert {
    condition = (
      google_cloud_scheduler_job.default["segue-sweep"].schedule == "* * * * *"
      && google_cloud_scheduler_job.default["segue-sweep"].attempt_deadline == null
    )
    error_message = "the sweep is ticked, and the API is not sent what it drops"
  }
  assert {
    condition = (
      google_firestore_database.default.delete_protection_state == "DELETE_PROTECTION_ENABLED"
      && google_firestore_database.default.name == "(default)"
      && google_firestore_database.default.location_id == "us-central1"
    )
    error_message = "the database lies in the region, and is not deleted by mistake"
  }
  assert {
    condition     = length(google_kms_crypto_key_iam_member.agents) == 7
    error_message = "whoever encrypts may use the key"
  }
  assert {
    condition = (
      one(google_storage_bucket.payloads.lifecycle_rule[0].condition).age == 32
      && google_storage_bucket.payloads.public_access_prevention == "enforced"
    )
    error_message = "payloads are kept as long as their runs, and are nobody else's"
  }
  assert {
    condition = (
      google_pubsub_subscription.parking.name == "segue-bury-dead"
      && length(google_pubsub_subscription.parking.push_config) == 0
    )
    error_message = "what bury cannot take waits to be pulled"
  }
}
