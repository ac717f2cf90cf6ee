resource "google_storage_bucket" "default" {
  force_destroy               = !var.deletion_protection
  location                    = var.region
  name                        = var.bucket
  project                     = var.project_id
  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [var.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  # Bundles of earlier deployments, for a look at what ran.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 90
      with_state                 = "ARCHIVED"
    }
  }

  versioning {
    enabled = true
  }
}
