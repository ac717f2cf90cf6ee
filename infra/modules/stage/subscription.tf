# Pub/Sub lets neither filter nor ordering of a subscription be changed, and a
# subscription that is replaced takes its backlog with it. So the name holds a
# digest of both: a change makes a new subscription first. The old one is then
# not deleted but left to itself: it goes on pushing what waits in it, and what
# is published from now on, to the same function. Stages drop what they get
# twice. infra/README.md says when and how to delete it.
#
# One for each priority, where the stage has them; each is pushed by itself.

resource "google_pubsub_subscription" "default" {
  for_each = var.stage.subscriptions

  ack_deadline_seconds    = each.value.ack_deadline
  deletion_policy         = var.keep_backlogs ? "ABANDON" : "DELETE"
  enable_message_ordering = each.value.ordering
  filter                  = each.value.filter == "" ? null : each.value.filter
  name                    = each.value.name
  project                 = var.project_id
  topic                   = google_pubsub_topic.default[0].id

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letter[0].id
    max_delivery_attempts = each.value.max_attempts
  }

  # Without it a subscription that is idle for 31 days is deleted.
  expiration_policy {
    ttl = ""
  }

  push_config {
    push_endpoint = google_cloudfunctions2_function.default.service_config[0].uri

    # Cloud Run takes a token for the service's own address, and no other.
    oidc_token {
      audience              = google_cloudfunctions2_function.default.service_config[0].uri
      service_account_email = var.push_account.email
    }
  }

  retry_policy {
    maximum_backoff = "${each.value.max_backoff}s"
    minimum_backoff = "${each.value.min_backoff}s"
  }

  lifecycle {
    create_before_destroy = true
  }

  # What is pushed at once must be let in, and what fails must find its way.
  depends_on = [
    google_cloud_run_v2_service_iam_member.push,
    google_pubsub_topic_iam_member.dead_letter_agent,
  ]
}

# Pub/Sub acknowledges on our behalf what it has moved to the dead letters.
resource "google_pubsub_subscription_iam_member" "agent" {
  for_each = google_pubsub_subscription.default

  member       = var.pubsub_agent
  project      = var.project_id
  role         = "roles/pubsub.subscriber"
  subscription = each.value.name

  lifecycle {
    create_before_destroy = true
  }
}

# Before there were priorities a stage had one subscription, without a key.
moved {
  from = google_pubsub_subscription.default[0]
  to   = google_pubsub_subscription.default["normal"]
}

moved {
  from = google_pubsub_subscription_iam_member.agent[0]
  to   = google_pubsub_subscription_iam_member.agent["normal"]
}
