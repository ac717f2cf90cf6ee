resource "google_firestore_database" "default" {
  concurrency_mode = "PESSIMISTIC"
  database_edition = "STANDARD"
  location_id      = coalesce(var.firestore.location, var.region)
  name             = var.firestore.database
  project          = local._project_id
  type             = "FIRESTORE_NATIVE"
  deletion_policy  = var.firestore.delete_protection ? "ABANDON" : "DELETE"
  delete_protection_state = (
    var.firestore.delete_protection
    ? "DELETE_PROTECTION_ENABLED"
    : "DELETE_PROTECTION_DISABLED"
  )
  point_in_time_recovery_enablement = (
    var.firestore.point_in_time_recovery
    ? "POINT_IN_TIME_RECOVERY_ENABLED"
    : "POINT_IN_TIME_RECOVERY_DISABLED"
  )

  dynamic "cmek_config" {
    for_each = local._kms_key == null ? [] : [local._kms_key]
    content {
      kms_key_name = cmek_config.value
    }
  }
}

resource "google_firestore_field" "default" {
  for_each = module.plan.fields

  collection = each.value.collection
  database   = google_firestore_database.default.name
  field      = each.value.field
  project    = local._project_id

  # Without the block Firestore's automatic indexes stay.
  dynamic "index_config" {
    for_each = each.value.indexes == null ? [] : [each.value.indexes]
    content {
      dynamic "indexes" {
        for_each = index_config.value
        content {
          array_config = indexes.value.array_config
          order        = indexes.value.order
          query_scope  = indexes.value.scope
        }
      }
    }
  }

  dynamic "ttl_config" {
    for_each = each.value.expires ? [true] : []
    content {}
  }
}

resource "google_firestore_index" "default" {
  for_each = module.plan.indexes

  collection  = each.value.collection
  database    = google_firestore_database.default.name
  project     = local._project_id
  query_scope = each.value.scope

  dynamic "fields" {
    for_each = [
      for field in each.value.fields : field if field.dimension == null
    ]
    content {
      array_config = fields.value.array_config
      field_path   = fields.value.path
      order        = fields.value.order
    }
  }

  # A vector comes last, after the name that Firestore otherwise adds itself.
  dynamic "fields" {
    for_each = [
      for field in each.value.fields : field if field.dimension != null
    ]
    content {
      field_path = "__name__"
      order      = "ASCENDING"
    }
  }
  dynamic "fields" {
    for_each = [
      for field in each.value.fields : field if field.dimension != null
    ]
    content {
      field_path = fields.value.path
      vector_config {
        dimension = fields.value.dimension
        flat {}
      }
    }
  }
}
