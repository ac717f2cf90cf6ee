# A metric counts from the moment it is created: older lines are not in it. Labels can be added
# later, but kind and type of a metric cannot change.
resource "google_logging_metric" "default" {
  for_each = module.definitions.metrics

  project         = var.project_id
  name            = each.value.name
  description     = each.value.description
  filter          = each.value.filter
  value_extractor = each.value.value_extractor

  label_extractors = {
    for label, detail in each.value.labels : label => detail.extractor
  }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = each.value.value_type
    unit        = each.value.unit

    dynamic "labels" {
      for_each = each.value.labels

      content {
        key         = labels.key
        value_type  = "STRING"
        description = labels.value.description
      }
    }
  }

  dynamic "bucket_options" {
    for_each = each.value.buckets == null ? [] : [each.value.buckets]

    content {
      exponential_buckets {
        scale              = bucket_options.value.scale
        growth_factor      = bucket_options.value.growth_factor
        num_finite_buckets = bucket_options.value.num_finite_buckets
      }
    }
  }
}
