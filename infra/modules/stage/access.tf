# What the stage's own account may do beyond sending to its topics, which
# stands beside the topics.

resource "google_project_iam_member" "database" {
  count = var.stage.stores ? 1 : 0

  member  = var.account.member
  project = var.project_id
  role    = "roles/datastore.user"

  # Firestore has no policies of its own on a database.
  condition {
    title      = "only-${trim(var.database, "()")}"
    expression = "resource.name == \"projects/${var.project_id}/databases/${var.database}\""
  }
}

resource "google_project_iam_member" "model" {
  count = var.stage.uses_model ? 1 : 0

  member  = var.account.member
  project = var.project_id
  role    = "roles/aiplatform.user"
}

resource "google_project_iam_member" "traces" {
  count = var.traces ? 1 : 0

  member  = var.account.member
  project = var.project_id
  role    = "roles/telemetry.tracesWriter"
}

# Payloads are stored once and never replaced; only who deletes may do more.
resource "google_storage_bucket_iam_member" "payloads" {
  for_each = toset(
    !var.stage.stores ? [] : var.stage.deletes
    ? ["roles/storage.objectUser"]
    : ["roles/storage.objectCreator", "roles/storage.objectViewer"]
  )

  bucket = var.payload_bucket
  member = var.account.member
  role   = each.value
}

resource "google_secret_manager_secret_iam_member" "default" {
  for_each = var.secrets

  member    = var.account.member
  project   = var.project_id
  role      = "roles/secretmanager.secretAccessor"
  secret_id = each.value.secret
}
