# Everything that follows from the stage table is decided there; what is wrong
# with it, or with the variables beside it, is refused there.

module "plan" {
  source = "./modules/plan"

  environment     = var.environment
  indexes         = yamldecode(file("${path.module}/indexes.yaml"))
  langfuse        = var.langfuse
  prefix          = var.prefix
  project_id      = var.project_id
  root            = "${path.module}/.."
  secrets         = var.secrets
  stage_overrides = var.stage_overrides
  table           = yamldecode(file("${path.module}/../functions/stages.yaml"))

  settings = {
    database       = var.firestore.database
    model_location = var.model.location
    otlp_endpoint  = var.otlp_endpoint
    payload_bucket = local._payload_bucket
    retention_days = var.retention_days
    trace_sample   = var.trace_sample
  }
}
