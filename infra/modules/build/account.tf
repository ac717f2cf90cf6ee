# An account of its own, as the platform's default ones may do far more, and in
# new projects not even build.

resource "google_service_account" "default" {
  account_id   = "${var.prefix}-build"
  display_name = "Segue: builds of functions"
  project      = var.project_id
}

resource "google_project_iam_member" "logs" {
  member  = google_service_account.default.member
  project = var.project_id
  role    = "roles/logging.logWriter"
}

# A build reads the bundle from a bucket of the platform's, which is there only
# after the first deployment and so cannot have a policy of ours.
resource "google_project_iam_member" "sources" {
  member  = google_service_account.default.member
  project = var.project_id
  role    = "roles/storage.objectViewer"

  condition {
    title = "only-sources"
    expression = join(" || ", [
      for bucket in [
        "gcf-v2-sources-${var.project_number}-${var.region}", var.bucket,
      ] : "resource.name.startsWith(\"projects/_/buckets/${bucket}\")"
    ])
  }
}
