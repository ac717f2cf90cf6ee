# A stage has what it needs, and nothing else. Runs without credentials: only
# the provider's schema and its rules for values are used.

mock_provider "archive" {}

mock_provider "google" {
  mock_resource "google_cloudfunctions2_function" {
    defaults = {
      service_config = { uri = "https://route-x.a.run.app" }
    }
  }
}

variables {
  account        = { email = "route@p.iam.gserviceaccount.com", member = "serviceAccount:route@p.iam.gserviceaccount.com" }
  build          = { account = "projects/p/serviceAccounts/build", repository = "projects/p/locations/r/repositories/f" }
  bundle         = { files = { "main.py" = "functions/route/main.py" }, hash = "abc" }
  burial         = { dead_letter_topic = "projects/p/topics/segue-bury-dead", url = "https://bury-x.a.run.app" }
  database       = "(default)"
  payload_bucket = "payloads"
  project_id     = "my-project"
  pubsub_agent   = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
  push_account   = { email = "push@p.iam.gserviceaccount.com", member = "serviceAccount:push@p.iam.gserviceaccount.com" }
  region         = "us-central1"
  root           = "../../.."
  sources_bucket = "sources"

  publishers = {
    "segue-events"     = { ingest = "serviceAccount:ingest@p.iam.gserviceaccount.com" }
    "segue-route-dead" = { route = "serviceAccount:route@p.iam.gserviceaccount.com" }
    "segue-compose"    = { route = "serviceAccount:route@p.iam.gserviceaccount.com" }
  }

  stage = {
    concurrency       = 80
    cpu               = "1"
    dead_letter_topic = "segue-route-dead"
    environment       = { SEGUE_PREFIX = "segue" }
    function          = "segue-route"
    max_instances     = 20
    memory            = "512Mi"
    min_instances     = 0
    name              = "route"
    stores            = true
    timeout           = 55
    topic             = "segue-events"
    trigger           = "topic"
    uses_model        = false

    dead_letter_subscription = {
      ack_deadline = 60
      max_attempts = 100
      max_backoff  = 600
      min_backoff  = 10
      name         = "segue-route-dead"
    }
    subscriptions = {
      normal = {
        ack_deadline = 60
        filter       = "attributes:tenant"
        max_attempts = 20
        max_backoff  = 60
        min_backoff  = 1
        name         = "segue-route-12345678"
        ordering     = true
      }
    }
  }
}

run "messages_are_pushed_with_a_token_for_the_service" {
  assert {
    condition = (
      google_pubsub_subscription.default["normal"].push_config[0].push_endpoint == google_cloudfunctions2_function.default.service_config[0].uri
      && google_pubsub_subscription.default["normal"].push_config[0].oidc_token[0].audience == google_cloudfunctions2_function.default.service_config[0].uri
      && google_pubsub_subscription.default["normal"].push_config[0].oidc_token[0].service_account_email == "push@p.iam.gserviceaccount.com"
    )
    error_message = "pushed as the push account, to and for the service's own address"
  }
  assert {
    condition = (
      google_cloud_run_v2_service_iam_member.push[0].member == "serviceAccount:push@p.iam.gserviceaccount.com"
      && google_cloud_run_v2_service_iam_member.push[0].role == "roles/run.invoker"
      && length(google_cloud_run_v2_service_iam_member.public) == 0
    )
    error_message = "the push account may call the service, and nobody else"
  }
}

run "a_subscription_never_expires_and_gives_up_to_the_dead_letters" {
  assert {
    condition = (
      google_pubsub_subscription.default["normal"].expiration_policy[0].ttl == ""
      && google_pubsub_subscription.default["normal"].dead_letter_policy[0].max_delivery_attempts == 20
      && google_pubsub_subscription.default["normal"].retry_policy[0].minimum_backoff == "1s"
      && google_pubsub_subscription.default["normal"].filter == "attributes:tenant"
      && google_pubsub_subscription.default["normal"].enable_message_ordering
      && google_pubsub_subscription.dead_letter[0].expiration_policy[0].ttl == ""
      && google_pubsub_subscription.dead_letter[0].push_config[0].push_endpoint == "https://bury-x.a.run.app"
    )
    error_message = "both subscriptions are as planned"
  }
  assert {
    condition = (
      google_pubsub_topic_iam_member.dead_letter_agent[0].role == "roles/pubsub.publisher"
      && google_pubsub_subscription_iam_member.agent["normal"].role == "roles/pubsub.subscriber"
      && google_pubsub_subscription_iam_member.dead_letter_agent[0].role == "roles/pubsub.subscriber"
    )
    error_message = "Pub/Sub's agent may move what fails to the dead letters"
  }
}

run "each_priority_has_a_subscription_that_is_like_the_others" {
  variables {
    stage = merge(var.stage, {
      subscriptions = {
        for priority, filter in {
          high   = "attributes.x = \"high\"",
          low    = "attributes.x = \"low\"",
          normal = "NOT attributes:x",
          } : priority => merge(var.stage.subscriptions.normal, {
            filter = filter, name = "segue-route-${priority}"
        })
      }
    })
  }

  assert {
    condition = (
      join(" ", keys(google_pubsub_subscription.default)) == "high low normal"
      && join(" ", keys(google_pubsub_subscription_iam_member.agent)) == "high low normal"
      && length(distinct([for one in google_pubsub_subscription.default : one.filter])) == 3
      && length(distinct([for one in google_pubsub_subscription.default : one.push_config[0].push_endpoint])) == 1
      && alltrue([
        for one in google_pubsub_subscription.default :
        one.dead_letter_policy[0].max_delivery_attempts == 20 && one.ack_deadline_seconds == 60
      ])
    )
    error_message = "three, with filters of their own, to one service, with the same numbers"
  }
}

run "a_subscription_stays_when_it_goes_out_of_use" {
  assert {
    condition = (
      google_pubsub_subscription.default["normal"].deletion_policy == "ABANDON"
      && google_pubsub_subscription.dead_letter[0].deletion_policy == "ABANDON"
    )
    error_message = "what waits in a subscription is not deleted with it"
  }
}

run "a_subscription_goes_where_nothing_is_to_be_kept" {
  variables {
    keep_backlogs = false
  }

  assert {
    condition     = google_pubsub_subscription.default["normal"].deletion_policy == "DELETE"
    error_message = "keep_backlogs = false deletes it"
  }
}

run "an_account_may_only_what_its_stage_does" {
  assert {
    condition = (
      google_project_iam_member.database[0].role == "roles/datastore.user"
      && google_project_iam_member.database[0].condition[0].expression == "resource.name == \"projects/my-project/databases/(default)\""
      && length(google_project_iam_member.model) == 0
      && length(google_project_iam_member.traces) == 0
      && length(google_secret_manager_secret_iam_member.default) == 0
      && join(" ", keys(google_storage_bucket_iam_member.payloads)) == "roles/storage.objectCreator roles/storage.objectViewer"
    )
    error_message = "the database and the payloads, no model, no traces, no secret"
  }
  assert {
    condition = (
      join(" ", keys(google_pubsub_topic_iam_member.publisher)) == "ingest"
      && join(" ", keys(google_pubsub_topic_iam_member.dead_letter_publisher)) == "route"
    )
    error_message = "to its topics only those send that say so"
  }
}

run "a_stage_over_http_has_no_topic_and_no_database" {
  variables {
    public  = true
    secrets = { SEGUE_INGEST_TOKEN = { secret = "token", version = "3" } }
    stage = {
      concurrency   = 80
      cpu           = "1"
      environment   = {}
      function      = "segue-ingest"
      max_instances = 20
      memory        = "512Mi"
      min_instances = 0
      name          = "ingest"
      stores        = false
      timeout       = 30
      trigger       = "http"
      uses_model    = false
    }
  }

  assert {
    condition = (
      length(google_pubsub_topic.default) == 0
      && length(google_pubsub_topic.dead_letter) == 0
      && length(google_pubsub_subscription.default) == 0
      && length(google_project_iam_member.database) == 0
      && length(google_storage_bucket_iam_member.payloads) == 0
      && length(google_cloud_run_v2_service_iam_member.push) == 0
    )
    error_message = "nothing is pushed to it, and it stores nothing"
  }
  assert {
    condition = (
      google_cloud_run_v2_service_iam_member.public[0].member == "allUsers"
      && google_secret_manager_secret_iam_member.default["SEGUE_INGEST_TOKEN"].secret_id == "token"
      && one(google_cloudfunctions2_function.default.service_config[0].secret_environment_variables).version == "3"
    )
    error_message = "it is public, and reads its own secret"
  }
}

run "only_who_deletes_payloads_may" {
  variables {
    stage = merge(var.stage, { deletes = true })
  }

  assert {
    condition     = join(" ", keys(google_storage_bucket_iam_member.payloads)) == "roles/storage.objectUser"
    error_message = "one role, with the right to delete"
  }
}

run "only_who_asks_a_model_may_and_only_who_traces_may" {
  variables {
    traces = true
    stage  = merge(var.stage, { uses_model = true })
  }

  assert {
    condition = (
      google_project_iam_member.model[0].role == "roles/aiplatform.user"
      && google_project_iam_member.traces[0].role == "roles/telemetry.tracesWriter"
    )
    error_message = "Vertex AI and Cloud Trace"
  }
}

run "a_bundle_that_changes_is_an_object_of_another_name" {
  assert {
    condition = (
      google_storage_bucket_object.default.name == "route/abc.zip"
      && google_cloudfunctions2_function.default.build_config[0].source[0].storage_source[0].object == "route/abc.zip"
    )
    error_message = "the object is named after its content"
  }
}
