module "build" {
  source = "./modules/build"

  bucket              = local._sources_bucket
  deletion_protection = var.deletion_protection
  kms_key             = local._kms_key
  prefix              = module.plan.prefix
  project_id          = local._project_id
  project_number      = local._project_number
  region              = var.region
}

locals {
  # Functions that only Pub/Sub calls take requests from everywhere too: that
  # a push counts as internal is documented for services, not for functions.
  # What keeps others out is roles/run.invoker.
  _ingress = {
    for name, stage in module.plan.stages : name => (
      name == "ingest" && var.custom_domain != null
      ? "ALLOW_INTERNAL_AND_GCLB"
      : "ALLOW_ALL"
    )
  }
}

# By itself, as all the others push their dead letters to it.
module "bury" {
  source = "./modules/stage"

  account        = google_service_account.stage[module.plan.bury]
  build          = local._build
  bundle         = module.plan.bundles[module.plan.bury]
  database       = google_firestore_database.default.name
  keep_backlogs  = var.keep_backlogs
  kms_key        = local._kms_key
  payload_bucket = google_storage_bucket.payloads.name
  project_id     = local._project_id
  publishers     = local._publishers
  pubsub_agent   = local._pubsub_agent
  push_account   = local._push_account
  region         = var.region
  root           = "${path.module}/.."
  secrets        = local._mounted[module.plan.bury]
  sources_bucket = module.build.bucket
  stage          = module.plan.stages[module.plan.bury]
  traces         = var.otlp_endpoint != ""
  vpc            = var.vpc
}

module "stage" {
  source   = "./modules/stage"
  for_each = local._pipeline

  account = google_service_account.stage[each.key]
  build   = local._build
  bundle  = module.plan.bundles[each.key]
  burial = {
    dead_letter_topic = module.bury.dead_letter_topic
    url               = module.bury.url
  }
  database       = google_firestore_database.default.name
  ingress        = local._ingress[each.key]
  keep_backlogs  = var.keep_backlogs
  kms_key        = local._kms_key
  payload_bucket = google_storage_bucket.payloads.name
  project_id     = local._project_id
  public         = each.value.public && var.public_ingest
  publishers     = local._publishers
  pubsub_agent   = local._pubsub_agent
  push_account   = local._push_account
  region         = var.region
  root           = "${path.module}/.."
  secrets        = local._mounted[each.key]
  sources_bucket = module.build.bucket
  stage          = each.value
  traces         = var.otlp_endpoint != ""
  vpc            = var.vpc
}

locals {
  _build = {
    account    = module.build.account
    repository = module.build.repository
  }
  _pipeline = {
    for name, stage in module.plan.stages :
    name => stage if name != module.plan.bury
  }
  _topics = {
    for name, stage in local._pipeline :
    stage.topic => module.stage[name].topic if stage.topic != null
  }
}
