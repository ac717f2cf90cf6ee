locals {
  _managed = {
    for name, secret in var.secrets : name => secret
    if secret.version != null
  }

  # What a function mounts. A stored secret is mounted by its version, so that
  # a new value is read by new instances at once; of one kept elsewhere they
  # read the latest when they start.
  _mounts = merge(
    {
      for name, secret in var.secrets : name => {
        secret  = secret.existing
        version = "latest"
      } if secret.existing != null
    },
    {
      for name, version in google_secret_manager_secret_version.default :
      name => {
        secret  = google_secret_manager_secret.default[name].secret_id
        version = version.version
      }
    },
  )
  _mounted = {
    for stage, names in module.plan.secrets :
    stage => { for name in names : name => local._mounts[name] }
  }
}

resource "google_secret_manager_secret" "default" {
  for_each = local._managed

  deletion_protection = var.deletion_protection
  project             = local._project_id
  secret_id           = "${module.plan.prefix}-${lower(replace(trimprefix(each.key, "SEGUE_"), "_", "-"))}"

  # With a key of one's own a secret lies where the key lies.
  replication {
    dynamic "auto" {
      for_each = local._kms_key == null ? [true] : []
      content {}
    }
    dynamic "user_managed" {
      for_each = local._kms_key == null ? [] : [local._kms_key]
      content {
        replicas {
          location = var.region
          customer_managed_encryption {
            kms_key_name = user_managed.value
          }
        }
      }
    }
  }
}

# The value is handed on and forgotten: it is in no state.
resource "google_secret_manager_secret_version" "default" {
  for_each = local._managed

  secret                 = google_secret_manager_secret.default[each.key].id
  secret_data_wo         = var.secret_values[each.key]
  secret_data_wo_version = each.value.version

  # Functions are moved to the new version before the old one goes.
  lifecycle {
    create_before_destroy = true
  }
}
