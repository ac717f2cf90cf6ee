resource "google_artifact_registry_repository" "default" {
  description   = "Images of Segue's functions."
  format        = "DOCKER"
  kms_key_name  = var.kms_key
  location      = var.region
  project       = var.project_id
  repository_id = "${var.prefix}-functions"

  # A policy that keeps wins over one that deletes.
  cleanup_policies {
    action = "KEEP"
    id     = "recent"
    most_recent_versions {
      keep_count = 5
    }
  }
  cleanup_policies {
    action = "DELETE"
    id     = "old"
    condition {
      older_than = "2592000s"
    }
  }
}

resource "google_artifact_registry_repository_iam_member" "writer" {
  location   = google_artifact_registry_repository.default.location
  member     = google_service_account.default.member
  project    = var.project_id
  repository = google_artifact_registry_repository.default.name
  role       = "roles/artifactregistry.writer"
}
