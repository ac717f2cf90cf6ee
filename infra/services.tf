resource "google_project_service" "default" {
  for_each = toset(concat(
    [
      "aiplatform.googleapis.com",
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudfunctions.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "cloudscheduler.googleapis.com",
      "firestore.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "storage.googleapis.com",
    ],
    var.kms_key == null ? [] : ["cloudkms.googleapis.com"],
    var.otlp_endpoint == "" ? [] : ["telemetry.googleapis.com"],
    var.vpc == null ? [] : ["compute.googleapis.com"],
  ))

  # Others may use them too.
  disable_on_destroy = false
  project            = var.project_id
  service            = each.value
}

data "google_project" "default" {
  project_id = var.project_id
}

locals {
  # The project as its APIs know it: whatever is made in it waits for them.
  # A depends_on of the modules would do too, and would hide from every plan
  # what their data sources read.
  _project_id = one(distinct([
    for service in google_project_service.default : service.project
  ]))
  _project_number = data.google_project.default.number

  # google_project_service_identity, which would make Google's agents known,
  # is only in google-beta. Their addresses follow from the project's number.
  _agents = {
    artifactregistry = "service-${local._project_number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    firestore        = "service-${local._project_number}@gcp-sa-firestore.iam.gserviceaccount.com"
    functions        = "service-${local._project_number}@gcf-admin-robot.iam.gserviceaccount.com"
    pubsub           = "service-${local._project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    run              = "service-${local._project_number}@serverless-robot-prod.iam.gserviceaccount.com"
    secretmanager    = "service-${local._project_number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
    storage          = "service-${local._project_number}@gs-project-accounts.iam.gserviceaccount.com"
  }
}
