resource "google_pubsub_topic" "default" {
  count = var.stage.topic == null ? 0 : 1

  kms_key_name = var.kms_key
  name         = var.stage.topic
  project      = var.project_id
}

resource "google_pubsub_topic_iam_member" "publisher" {
  for_each = var.stage.topic == null ? {} : var.publishers[var.stage.topic]

  member  = each.value
  project = var.project_id
  role    = "roles/pubsub.publisher"
  topic   = google_pubsub_topic.default[0].name
}
