output "account" {
  description = "Id of the account that builds, as a function's build takes it."
  value       = google_service_account.default.id

  # Whoever builds with it finds its rights in place.
  depends_on = [
    google_artifact_registry_repository_iam_member.writer,
    google_project_iam_member.logs,
    google_project_iam_member.sources,
  ]
}

output "bucket" {
  description = "Name of the bucket of the bundles."
  value       = google_storage_bucket.default.name
}

output "email" {
  description = "E-mail address of the account that builds."
  value       = google_service_account.default.email
}

output "repository" {
  description = "Id of the repository of images."
  value       = google_artifact_registry_repository.default.id
}
