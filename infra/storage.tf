locals {
  _payload_bucket = "${var.project_id}-${module.plan.prefix}-payloads"
  _sources_bucket = "${var.project_id}-${module.plan.prefix}-sources"
}

# Payloads that are too large for Firestore. They are kept as long as the runs
# they belong to; two days more, as an object is named by the day it expires on.
resource "google_storage_bucket" "payloads" {
  force_destroy               = !var.deletion_protection
  location                    = var.region
  name                        = local._payload_bucket
  project                     = local._project_id
  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  dynamic "encryption" {
    for_each = local._kms_key == null ? [] : [local._kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age = ceil(var.retention_days) + 2
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 7
      with_state                 = "ARCHIVED"
    }
  }

  versioning {
    enabled = true
  }
}
