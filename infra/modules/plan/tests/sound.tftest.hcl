# What becomes of a sound table. That the shipped one is sound, and that the
# local engines are set up the same, is held by tests/infra.

variables {
  project_id = "my-project"
  root       = "../../.."

  table = {
    prefix = "segue"
    bundle = { files = [], folders = [], suffixes = [], without = [] }
    stages = {
      ingest = {
        budget    = "25s"
        memory    = "512Mi"
        public    = true
        publishes = ["events"]
        secrets   = ["SEGUE_INGEST_TOKEN"]
        stores    = false
        timeout   = 30
        trigger   = "http"
      }
      route = {
        ack_deadline = "1m"
        budget       = "50s"
        max_attempts = 20
        memory       = "1Gi"
        retry        = { max = "60s", min = "500ms" }
        schedule     = "* * * * *"
        timeout      = "55s"
        topic        = "events"
        trigger      = "topic"
      }
      bury = {
        ack_deadline = "60s"
        budget       = "50s"
        max_attempts = 100
        memory       = "512Mi"
        retry        = { max = "10m", min = "10s" }
        timeout      = "55s"
        trigger      = "dead-letters"
      }
    }
  }
}

run "durations_become_seconds" {
  command = plan

  assert {
    condition     = output.stages.ingest.budget == 25 && output.stages.ingest.timeout == 30
    error_message = "25s is 25, and a number is seconds already"
  }
  assert {
    condition = (
      output.stages.route.subscriptions.normal.ack_deadline == 60
      && output.stages.route.subscriptions.normal.min_backoff == 0.5
      && output.stages.route.dead_letter_subscription.max_backoff == 600
    )
    error_message = "1m is 60, 500ms is 0.5, 10m is 600"
  }
}

run "defaults_are_applied" {
  command = plan

  assert {
    condition = (
      output.stages.route.concurrency == 80
      && output.stages.route.cpu == "1"
      && output.stages.route.min_instances == 0
      && output.stages.route.max_instances == 20
      && output.stages.route.stores
      && !output.stages.route.public
    )
    error_message = "what a row leaves out has its default"
  }
}

run "overrides_win" {
  command = plan

  variables {
    stage_overrides = {
      route = { cpu = "0.5", concurrency = 1, memory = "512Mi", min_instances = 2 }
    }
  }

  assert {
    condition = (
      output.stages.route.cpu == "0.5"
      && output.stages.route.concurrency == 1
      && output.stages.route.memory == "512Mi"
      && output.stages.route.min_instances == 2
      && output.stages.route.max_instances == 20
    )
    error_message = "an override changes what it names, and nothing else"
  }
}

run "a_stage_over_http_has_no_topic" {
  command = plan

  assert {
    condition = (
      output.stages.ingest.topic == null
      && length(output.stages.ingest.subscriptions) == 0
      && output.stages.ingest.dead_letter_topic == null
    )
    error_message = "nothing is pushed to a stage with trigger http"
  }
  assert {
    condition     = join(" ", output.topics) == "segue-bury-dead segue-events segue-route-dead"
    error_message = "a topic for each stage that reads one, and one for the dead letters of each"
  }
}

run "dead_letters_are_pushed_to_the_burying_stage_and_then_parked" {
  command = plan

  assert {
    condition = (
      output.bury == "bury"
      && output.stages.route.dead_letter_subscription.push_to == "bury"
      && output.stages.route.dead_letter_subscription.dead_letter_topic == "segue-bury-dead"
      && output.stages.route.dead_letter_subscription.max_attempts == 100
    )
    error_message = "the dead letters of route go to bury, by bury's numbers"
  }
  assert {
    condition = (
      output.parking.topic == "segue-bury-dead"
      && output.parking.push_to == null
      && output.parking.dead_letter_topic == null
    )
    error_message = "what bury cannot take waits to be pulled"
  }
}

run "only_those_publish_to_a_topic_that_say_so" {
  command = plan

  assert {
    condition = jsonencode(output.publishers) == jsonencode({
      "segue-bury-dead"  = ["bury"]
      "segue-events"     = ["ingest"]
      "segue-route-dead" = ["route"]
    })
    error_message = "who publishes where: ${jsonencode(output.publishers)}"
  }
}

run "another_filter_is_another_subscription" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, {
          filter = "attributes:tenant", ordering = true
        })
      })
    })
  }

  assert {
    condition = (
      output.stages.route.subscriptions.normal.name
      == "segue-route-${substr(sha256("attributes:tenant\ntrue"), 0, 8)}"
    )
    error_message = "the name has a digest of filter and ordering"
  }
  assert {
    condition     = output.stages.route.dead_letter_subscription.name == "segue-route-dead"
    error_message = "dead letters are neither filtered nor ordered"
  }
}

run "priorities_are_subscriptions" {
  command = plan

  variables {
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { priorities = true, filter = "attributes:x" })
      })
    })
  }

  assert {
    condition = (
      join(" ", keys(output.stages.route.subscriptions)) == "high low normal"
      && output.stages.route.subscriptions.high.filter == "(attributes:x) AND attributes.\"segue-priority\" = \"high\""
      && startswith(output.stages.route.subscriptions.low.name, "segue-route-low-")
      && length(output.subscriptions) == 5
    )
    error_message = "one a priority, each with a filter; dead letters and parking as ever"
  }
}

run "only_secrets_that_there_are_are_mounted_where_they_are_named" {
  command = plan

  variables {
    secrets = { SEGUE_INGEST_TOKEN = { version = 1 } }
  }

  assert {
    condition = (
      join(" ", output.secrets.ingest) == "SEGUE_INGEST_TOKEN"
      && length(output.secrets.route) == 0
    )
    error_message = "the token is mounted in ingest alone"
  }
}

run "langfuse_is_told_to_the_stage_that_has_its_key" {
  command = plan

  variables {
    langfuse = { host = "https://lf.example.com", public_key = "pk", refresh_seconds = 60 }
    secrets  = { LANGFUSE_SECRET_KEY = { existing = "langfuse" } }
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { secrets = ["LANGFUSE_SECRET_KEY"] })
      })
    })
  }

  assert {
    condition = (
      output.stages.route.environment.LANGFUSE_HOST == "https://lf.example.com"
      && output.stages.route.environment.LANGFUSE_PUBLIC_KEY == "pk"
      && output.stages.route.environment.SEGUE_PROMPT_REGISTRY == "langfuse"
      && output.stages.route.environment.SEGUE_PROMPTS_REFRESH == "60"
      && !can(output.stages.bury.environment.SEGUE_PROMPT_REGISTRY)
    )
    error_message = "route: ${jsonencode(output.stages.route.environment)}"
  }
  assert {
    condition     = join(" ", output.secrets.route) == "LANGFUSE_SECRET_KEY"
    error_message = "the key is mounted where prompts are read, and nowhere else"
  }
}

run "a_stage_is_told_what_it_uses" {
  command = plan

  variables {
    environment = { SEGUE_EMAIL_FROM = "segue@example.com" }
    settings = {
      database       = "other"
      otlp_endpoint  = "https://telemetry.googleapis.com"
      payload_bucket = "b"
      trace_sample   = 0.1
    }
    table = merge(var.table, {
      stages = merge(var.table.stages, {
        route = merge(var.table.stages.route, { extras = ["model"] })
      })
    })
  }

  assert {
    condition = jsonencode(output.stages.ingest.environment) == jsonencode({
      GOOGLE_CLOUD_PROJECT        = "my-project"
      LOG_EXECUTION_ID            = "false"
      OTEL_EXPORTER_OTLP_ENDPOINT = "https://telemetry.googleapis.com"
      SEGUE_EMAIL_FROM            = "segue@example.com"
      SEGUE_PREFIX                = "segue"
      SEGUE_TRACE_SAMPLE          = "0.1"
    })
    error_message = "ingest: ${jsonencode(output.stages.ingest.environment)}"
  }
  assert {
    condition = (
      output.stages.route.environment.SEGUE_DATABASE == "other"
      && output.stages.route.environment.SEGUE_PAYLOAD_BUCKET == "b"
      && output.stages.route.environment.GOOGLE_CLOUD_LOCATION == "global"
      && output.stages.route.environment.SEGUE_MODEL == "vertex"
      && output.stages.route.uses_model
      && !output.stages.bury.uses_model
    )
    error_message = "route: ${jsonencode(output.stages.route.environment)}"
  }
}

run "a_schedule_is_a_job_that_publishes_a_tick" {
  command = plan

  assert {
    condition = (
      output.schedules["segue-route"].cron == "* * * * *"
      && output.schedules["segue-route"].time_zone == "Etc/UTC"
      && output.schedules["segue-route"].topic == "segue-events"
      && base64decode(output.schedules["segue-route"].data) == "{}"
    )
    error_message = "the ticks of route: ${jsonencode(output.schedules)}"
  }
}

run "indexes_are_told_from_fields" {
  command = plan

  variables {
    indexes = {
      indexes = [
        {
          collection = "runs"
          fields = [
            { path = "flow" }, { path = "created_at", order = "desc" },
          ]
        },
        {
          collection = "steps"
          scope      = "group"
          fields     = [{ path = "status" }]
        },
        {
          collection = "chunks"
          fields     = [{ path = "embedding", vector = 768 }]
        },
      ]
      ttl       = { field = "expire_at", collections = ["runs", "pieces"] }
      unindexed = { pieces = ["data", "expire_at"] }
    }
  }

  assert {
    condition     = length(output.indexes) == 2
    error_message = "an index of one field is none, unless that is a vector: ${jsonencode(output.indexes)}"
  }
  assert {
    condition = (
      output.fields["runs/expire_at"].expires
      && output.fields["runs/expire_at"].indexes == null
      && output.fields["pieces/expire_at"].expires
      && length(output.fields["pieces/expire_at"].indexes) == 0
      && length(output.fields["pieces/data"].indexes) == 0
    )
    error_message = "a field expires, or is not indexed, or both: ${jsonencode(output.fields)}"
  }
  assert {
    condition = (
      length(output.fields["steps/status"].indexes) == 4
      && output.fields["steps/status"].indexes[3].scope == "COLLECTION_GROUP"
    )
    error_message = "an index over a group comes beside the automatic ones: ${jsonencode(output.fields)}"
  }
}
