# Where messages go that the stage could not process, and the subscription that
# takes them on to the burying stage.

resource "google_pubsub_topic" "dead_letter" {
  count = var.stage.dead_letter_topic == null ? 0 : 1

  kms_key_name = var.kms_key
  name         = var.stage.dead_letter_topic
  project      = var.project_id
}

resource "google_pubsub_topic_iam_member" "dead_letter_agent" {
  count = var.stage.dead_letter_topic == null ? 0 : 1

  member  = var.pubsub_agent
  project = var.project_id
  role    = "roles/pubsub.publisher"
  topic   = google_pubsub_topic.dead_letter[0].name
}

resource "google_pubsub_topic_iam_member" "dead_letter_publisher" {
  for_each = (
    var.stage.dead_letter_topic == null
    ? {}
    : var.publishers[var.stage.dead_letter_topic]
  )

  member  = each.value
  project = var.project_id
  role    = "roles/pubsub.publisher"
  topic   = google_pubsub_topic.dead_letter[0].name
}

resource "google_pubsub_subscription" "dead_letter" {
  count = var.stage.dead_letter_subscription == null ? 0 : 1

  ack_deadline_seconds = var.stage.dead_letter_subscription.ack_deadline
  deletion_policy      = var.keep_backlogs ? "ABANDON" : "DELETE"
  name                 = var.stage.dead_letter_subscription.name
  project              = var.project_id
  topic                = google_pubsub_topic.dead_letter[0].id

  dead_letter_policy {
    dead_letter_topic     = var.burial.dead_letter_topic
    max_delivery_attempts = var.stage.dead_letter_subscription.max_attempts
  }

  expiration_policy {
    ttl = ""
  }

  push_config {
    push_endpoint = var.burial.url

    oidc_token {
      audience              = var.burial.url
      service_account_email = var.push_account.email
    }
  }

  retry_policy {
    maximum_backoff = "${var.stage.dead_letter_subscription.max_backoff}s"
    minimum_backoff = "${var.stage.dead_letter_subscription.min_backoff}s"
  }
}

resource "google_pubsub_subscription_iam_member" "dead_letter_agent" {
  count = var.stage.dead_letter_subscription == null ? 0 : 1

  member       = var.pubsub_agent
  project      = var.project_id
  role         = "roles/pubsub.subscriber"
  subscription = google_pubsub_subscription.dead_letter[0].name
}
