# The metrics as PromQL knows them: the first / becomes :, everything else that is special _.
# https://cloud.google.com/monitoring/promql/promql-mapping
# The monitored resource has to be named: metrics from logs can belong to several.
locals {
  _series = {
    for name, metric in local.metrics :
    name => "logging_googleapis_com:user_${replace(metric.name, "/[^A-Za-z0-9_]/", "_")}"
  }
  _run = "monitored_resource=\"cloud_run_revision\""

  # Everything of a metric, and those parts of some that several queries want.
  q = {
    cost           = "${local._series.cost_usd}_sum{${local._run}}"
    dead_letters   = "${local._series.dead_letters}{${local._run}}"
    ended          = "${local._series.runs_ended}{${local._run}}"
    failed         = "${local._series.runs_ended}{${local._run},status=\"failed\"}"
    input_tokens   = "${local._series.input_tokens}_sum{${local._run}}"
    late           = "${local._series.runs_late}{${local._run}}"
    model_calls    = "${local._series.model_calls}_sum{${local._run}}"
    output_tokens  = "${local._series.output_tokens}_sum{${local._run}}"
    repair_turns   = "${local._series.repair_turns}_sum{${local._run}}"
    run_buckets    = "${local._series.run_duration_ms}_bucket{${local._run}}"
    stage_acks     = "${local._series.stage_attempts}{${local._run},disposition=\"ack\"}"
    stage_attempts = "${local._series.stage_attempts}{${local._run}}"
    stage_buckets  = "${local._series.stage_duration_ms}_bucket{${local._run}}"
    started        = "${local._series.runs_started}{${local._run}}"
    step_attempts  = "${local._series.step_attempts}{${local._run}}"
    swept          = "${local._series.stage_attempts}{${local._run},stage=\"sweep\",disposition=\"ack\"}"

    answers_5xx = "run_googleapis_com:request_count{${local._run},${local._service},response_code_class=\"5xx\"}"
    instances   = "run_googleapis_com:container_instance_count{${local._run},${local._service}}"
    oldest      = "pubsub_googleapis_com:subscription_oldest_unacked_message_age{${local._subscription}}"
    parked      = "pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",subscription_id=\"${var.parked_subscription}\"}"
    undelivered = "pubsub_googleapis_com:subscription_num_undelivered_messages{${local._subscription}}"
  }

  _service      = "service_name=~\"${join("|", local.services)}\""
  _subscription = "monitored_resource=\"pubsub_subscription\",subscription_id=~\"${join("|", local.subscriptions)}\""

  # Pushed ones; what is parked no stage acknowledges, so its age says nothing. A change of filter
  # or ordering leaves the old subscription to itself (modules/stage/subscription.tf): as long as
  # it is there, it is watched too, by the name without the digest.
  subscriptions = sort(distinct([
    for name in compact(flatten([
      for stage in values(var.stages) : [stage.subscriptions, stage.dead_letter_subscription]
    ])) : "${replace(name, "/-[0-9a-f]{8}$/", "")}(-[0-9a-f]{8})?"
  ]))
}
