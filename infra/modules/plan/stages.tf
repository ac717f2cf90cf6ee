# A stage as modules/stage takes it.

locals {
  # Settings that no operator chooses by `environment`.
  _reserved = [
    "SEGUE_DATABASE", "SEGUE_MODEL", "SEGUE_PAYLOAD_BUCKET", "SEGUE_PREFIX",
    "SEGUE_PROMPTS", "SEGUE_RELOAD", "SEGUE_RETENTION_DAYS",
    "SEGUE_TRACE_SAMPLE",
  ]

  # The platform turns LOG_EXECUTION_ID on by itself. With it the framework
  # writes every log line anew, with a span id of its own in place of the
  # run's, and puts out loggers made before the first request.
  _common = merge(
    var.environment,
    {
      GOOGLE_CLOUD_PROJECT = var.project_id
      LOG_EXECUTION_ID     = "false"
      SEGUE_PREFIX         = local._prefix
    },
    var.settings.otlp_endpoint == "" ? {} : {
      OTEL_EXPORTER_OTLP_ENDPOINT = var.settings.otlp_endpoint
      SEGUE_TRACE_SAMPLE          = tostring(var.settings.trace_sample)
    },
  )
  _of_the_store = merge(
    {
      SEGUE_DATABASE       = var.settings.database
      SEGUE_RETENTION_DAYS = tostring(var.settings.retention_days)
    },
    var.settings.payload_bucket == "" ? {} : {
      SEGUE_PAYLOAD_BUCKET = var.settings.payload_bucket
    },
  )
  # A stage without the keys would refuse the setting, and not start.
  _of_langfuse = var.langfuse == null ? {} : {
    LANGFUSE_HOST         = var.langfuse.host
    LANGFUSE_PUBLIC_KEY   = var.langfuse.public_key
    SEGUE_PROMPT_REGISTRY = "langfuse"
    SEGUE_PROMPTS_REFRESH = tostring(var.langfuse.refresh_seconds)
  }
  _of_the_model = {
    GOOGLE_CLOUD_LOCATION = var.settings.model_location
    SEGUE_MODEL           = "vertex"
  }

  _stages = {
    for name, row in local._rows : name => {
      account       = "${local._prefix}-${name}"
      budget        = row.budget
      concurrency   = row.concurrency
      cpu           = tostring(row.cpu)
      deletes       = row.deletes
      effectful     = row.effectful
      function      = "${local._prefix}-${name}"
      max_instances = row.max_instances
      memory        = row.memory
      min_instances = row.min_instances
      name          = name
      public        = row.public
      publishes = [
        for topic in row.publishes : "${local._prefix}-${topic}"
      ]
      secrets = [
        for secret in row.secrets : secret
        if contains(keys(var.secrets), secret)
      ]
      stores     = row.stores
      timeout    = row.timeout
      trigger    = row.trigger
      uses_model = contains(row.extras, "model")

      dead_letter_topic        = try(local._dead_letter_topics[name], null)
      dead_letter_subscription = try(local._dead_letter_subscriptions[name], null)
      subscriptions            = try(local._stage_subscriptions[name], {})
      topic                    = local._topics[name]

      environment = merge(
        local._common,
        row.stores ? local._of_the_store : {},
        contains(row.extras, "model") ? local._of_the_model : {},
        contains(row.secrets, local._langfuse_key) ? local._of_langfuse : {},
      )
    }
  }

  # Topic -> stages that send to it: those that say so, and for a dead-letter
  # topic its own stage, which buries there what it cannot decode.
  _publishers = {
    for topic in distinct([
      for owned in local._owned : "${local._prefix}-${owned.topic}"
      ]) : topic => sort(distinct(concat(
        [
          for name, row in local._rows : name
          if contains([for t in row.publishes : "${local._prefix}-${t}"], topic)
        ],
        [
          for name, own in local._dead_letter_topics : name if own == topic
        ],
    )))
  }
}
