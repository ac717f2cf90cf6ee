# One warm instance wherever an event passes on its way to the model: no run
# waits for a cold start.

otlp_endpoint  = "https://telemetry.googleapis.com"
retention_days = 90
trace_sample   = 0.1

labels = {
  environment = "prod"
}

stage_overrides = {
  act      = { max_instances = 50, min_instances = 1 }
  compose  = { max_instances = 50, min_instances = 1 }
  generate = { max_instances = 200, min_instances = 1 }
  ingest   = { max_instances = 50, min_instances = 1 }
  route    = { max_instances = 50, min_instances = 1 }
}
