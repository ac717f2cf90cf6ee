# A trial that costs nothing while nothing happens, and goes without a trace.

deletion_protection = false
keep_backlogs       = false
retention_days      = 7

firestore = {
  database               = "segue-dev"
  delete_protection      = false
  point_in_time_recovery = false
}

labels = {
  environment = "dev"
}

stage_overrides = {
  act      = { max_instances = 3 }
  bury     = { max_instances = 1 }
  compose  = { max_instances = 3 }
  generate = { max_instances = 3 }
  ingest   = { max_instances = 2 }
  route    = { max_instances = 3 }
}
