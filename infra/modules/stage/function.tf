# Triggered over HTTP, not by Eventarc: only a subscription of our own has a
# dead-letter policy, a retry policy, a deadline and a filter.

resource "google_cloudfunctions2_function" "default" {
  description  = "Segue: the stage ${var.stage.name}."
  kms_key_name = var.kms_key
  location     = var.region
  name         = var.stage.function
  project      = var.project_id

  build_config {
    docker_repository = var.build.repository
    entry_point       = var.stage.name
    # Python 3.12 gets its security fixes until October 2028; all packages of
    # the lock have wheels for it.
    runtime         = "python312"
    service_account = var.build.account

    source {
      storage_source {
        bucket = var.sources_bucket
        object = google_storage_bucket_object.default.name
      }
    }
  }

  service_config {
    all_traffic_on_latest_revision   = true
    available_cpu                    = var.stage.cpu
    available_memory                 = var.stage.memory
    direct_vpc_egress                = try(var.vpc.egress, null)
    environment_variables            = var.stage.environment
    ingress_settings                 = var.ingress
    max_instance_count               = var.stage.max_instances
    max_instance_request_concurrency = var.stage.concurrency
    min_instance_count               = var.stage.min_instances
    service_account_email            = var.account.email
    timeout_seconds                  = var.stage.timeout

    dynamic "direct_vpc_network_interface" {
      for_each = var.vpc == null ? [] : [var.vpc]
      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.subnetwork
      }
    }

    dynamic "secret_environment_variables" {
      for_each = var.secrets
      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = secret_environment_variables.value.secret
        version    = secret_environment_variables.value.version
      }
    }
  }

  # A function that cannot read its secrets is not deployed; one without its
  # other rights would fail its first messages.
  depends_on = [
    google_project_iam_member.database,
    google_project_iam_member.model,
    google_project_iam_member.traces,
    google_secret_manager_secret_iam_member.default,
    google_storage_bucket_iam_member.payloads,
  ]
}

# On the Cloud Run service behind the function: the Functions API refuses the
# role on the function itself.
resource "google_cloud_run_v2_service_iam_member" "push" {
  count = var.stage.trigger == "http" ? 0 : 1

  location = google_cloudfunctions2_function.default.location
  member   = var.push_account.member
  name     = google_cloudfunctions2_function.default.name
  project  = var.project_id
  role     = "roles/run.invoker"
}

resource "google_cloud_run_v2_service_iam_member" "public" {
  count = var.public ? 1 : 0

  location = google_cloudfunctions2_function.default.location
  member   = "allUsers"
  name     = google_cloudfunctions2_function.default.name
  project  = var.project_id
  role     = "roles/run.invoker"
}
