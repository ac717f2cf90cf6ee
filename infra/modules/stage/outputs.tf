output "dead_letter_topic" {
  description = "Id of the stage's dead-letter topic; null where it has none."
  value       = try(google_pubsub_topic.dead_letter[0].id, null)

  # Whoever dead-letters to it finds the rights there.
  depends_on = [google_pubsub_topic_iam_member.dead_letter_agent]
}

output "function" {
  description = "Name of the function and of the Cloud Run service behind it."
  value       = google_cloudfunctions2_function.default.name
}

output "topic" {
  description = "Id of the stage's topic; null where it has none."
  value       = try(google_pubsub_topic.default[0].id, null)
}

output "url" {
  description = "Address of the function."
  value       = google_cloudfunctions2_function.default.service_config[0].uri

  # Whoever is given the address is let in.
  depends_on = [
    google_cloud_run_v2_service_iam_member.public,
    google_cloud_run_v2_service_iam_member.push,
  ]
}
