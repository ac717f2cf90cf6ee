# Metrics that Cloud Logging counts from the stages' log lines. What the lines have is decided in
# shared/adapters/json_telemetry.py; a test holds every field that is named here against it.
#
# A counter metric of Cloud Logging counts lines; it cannot add up a field. A quantity is therefore
# a distribution whose sum is the quantity: <name>_sum in PromQL.
locals {
  services = sort([for stage in values(var.stages) : stage.function])

  _ours = [
    "resource.type=\"cloud_run_revision\"",
    "resource.labels.location=\"${var.region}\"",
    "resource.labels.service_name=(${join(" OR ", [for name in local.services : "\"${name}\""])})",
  ]

  # At most ten labels a metric. Values must be few: no ids.
  _labels = {
    code           = { from = "jsonPayload.error.code", description = "Name of the error, empty where there is none" }
    disposition    = { from = "jsonPayload.disposition", description = "ack, nack or bury" }
    flow           = { from = "labels.flow", description = "Name of the flow" }
    flow_version   = { from = "labels.flow_version", description = "Content hash of the flow version" }
    model          = { from = "jsonPayload.\"gen_ai.request.model\"", description = "Model that was asked" }
    outcome        = { from = "jsonPayload.outcome", description = "What the attempt came to" }
    prompt         = { from = "labels.prompt", description = "Name of the prompt" }
    prompt_version = { from = "labels.prompt_version", description = "Content hash of the prompt version" }
    stage          = { from = "labels.stage", description = "Name of the stage" }
    status         = { from = "labels.status", description = "succeeded or failed" }
    step           = { from = "labels.step", description = "Name of the step in its flow" }
  }

  _by_flow   = ["flow", "flow_version"]
  _by_prompt = ["flow", "flow_version", "step", "prompt", "prompt_version", "model"]

  _buckets = {
    amount  = { scale = 1, growth_factor = 2, num_finite_buckets = 24 }        # 1 to 16 million
    cost    = { scale = 0.000001, growth_factor = 2, num_finite_buckets = 30 } # to 1,000 USD
    run     = { scale = 10, growth_factor = 1.3, num_finite_buckets = 64 }     # 10 ms to 2 days
    attempt = { scale = 5, growth_factor = 1.25, num_finite_buckets = 56 }     # 5 ms to 22 min
  }

  _metrics = {
    cost_usd = {
      description = "What the model cost by prompts/prices.yaml, one value an attempt; the sum is the cost. Calls of a model without a price are missing."
      kind        = "stage_attempt", where = "jsonPayload.cost_usd:*", labels = local._by_prompt
      value       = "jsonPayload.cost_usd", unit = "{USD}", buckets = local._buckets.cost
    }
    dead_letters = {
      description = "Dead letters that bury has kept, by the stage that failed."
      kind        = "dead_letter", labels = ["stage", "flow", "code"]
    }
    input_tokens = {
      description = "Tokens sent to the model, one value an attempt; the sum is the number of tokens."
      kind        = "stage_attempt", where = "jsonPayload.\"gen_ai.usage.input_tokens\":*", labels = local._by_prompt
      value       = "jsonPayload.\"gen_ai.usage.input_tokens\"", unit = "{token}", buckets = local._buckets.amount
    }
    model_calls = {
      description = "Calls of a model, one value an attempt; the sum is the number of calls."
      kind        = "stage_attempt", where = "jsonPayload.llm_calls:*", labels = local._by_prompt
      value       = "jsonPayload.llm_calls", unit = "{call}", buckets = local._buckets.amount
    }
    output_tokens = {
      description = "Tokens that the model answered with, one value an attempt; the sum is the number of tokens."
      kind        = "stage_attempt", where = "jsonPayload.\"gen_ai.usage.output_tokens\":*", labels = local._by_prompt
      value       = "jsonPayload.\"gen_ai.usage.output_tokens\"", unit = "{token}", buckets = local._buckets.amount
    }
    repair_turns = {
      description = "Turns in which a model was asked to repair its answer, one value an attempt; the sum is the number of turns."
      kind        = "stage_attempt", where = "jsonPayload.repair_turns:*", labels = local._by_prompt
      value       = "jsonPayload.repair_turns", unit = "{turn}", buckets = local._buckets.amount
    }
    run_duration_ms = {
      description = "From the creation of a run to its end."
      kind        = "run_ended", labels = concat(local._by_flow, ["status"])
      value       = "jsonPayload.duration_ms", unit = "ms", buckets = local._buckets.run
    }
    runs_ended = {
      description = "Runs that have ended, by status; code says why one failed."
      kind        = "run_ended", labels = concat(local._by_flow, ["status", "code"])
    }
    # Its own counter, and not a bucket of run_duration_ms: exact for any objective.
    runs_late = {
      description = "Runs that have ended later than the objective allows (alerts.run_latency_seconds)."
      kind        = "run_ended", where = "jsonPayload.duration_ms>${var.alerts.run_latency_seconds * 1000}"
      labels      = concat(local._by_flow, ["status"])
    }
    runs_started = {
      description = "Runs that have been opened."
      kind        = "run_started", labels = local._by_flow
    }
    stage_attempts = {
      description = "Attempts of the stages at messages."
      kind        = "stage_attempt", labels = ["stage", "flow", "disposition", "outcome", "code"]
    }
    stage_duration_ms = {
      description = "How long an attempt of a stage took."
      kind        = "stage_attempt", labels = ["stage", "flow", "disposition"]
      value       = "jsonPayload.duration_ms", unit = "ms", buckets = local._buckets.attempt
    }
    step_attempts = {
      description = "Attempts of the stages at steps of a flow."
      kind        = "stage_attempt", where = "labels.step:*"
      labels      = concat(local._by_prompt, ["stage", "disposition", "outcome"])
    }
  }

  metrics = {
    for name, metric in local._metrics : name => {
      name        = "${var.prefix}/${name}"
      description = metric.description
      filter = join("\n", concat(
        local._ours,
        ["jsonPayload.kind=\"${metric.kind}\""],
        compact([try(metric.where, "")]),
      ))
      unit            = try(metric.unit, "1")
      value_type      = can(metric.value) ? "DISTRIBUTION" : "INT64"
      value_extractor = can(metric.value) ? "EXTRACT(${metric.value})" : null
      buckets         = try(metric.buckets, null)
      labels = {
        for label in metric.labels : label => {
          description = local._labels[label].description
          extractor   = "EXTRACT(${local._labels[label].from})"
        }
      }
    }
  }
}
