# One page for the person on duty: is it working, is it late, is it waiting, what does it cost.
# Rows of widgets on a grid of 48 columns; positions are computed, so that a row can be moved.
locals {
  _every = "[$${__interval}]"

  # key -> title, unit, and legend -> query. An empty legend shows the labels.
  _charts = {
    runs = {
      title = "Runs started and ended", unit = "1", plot = "LINE", queries = {
        "started" = "sum(increase(${local.q.started}${local._every}))"
        "ended"   = "sum(increase(${local.q.ended}${local._every}))"
        "failed"  = "sum(increase(${local.q.failed}${local._every}))"
      }
    }
    success_by_flow = {
      title = "Runs that succeed, by flow", unit = "10^2.%", plot = "LINE", queries = {
        "" = "1 - (sum by (flow) (increase(${local.q.failed}[30m])) or 0 * sum by (flow) (increase(${local.q.ended}[30m]))) / sum by (flow) (increase(${local.q.ended}[30m]))"
      }
    }
    steps = {
      title = "Attempts at steps, by flow and step", unit = "1", plot = "STACKED_BAR", queries = {
        "" = "sum by (flow, step) (increase(${local.q.step_attempts}${local._every}))"
      }
    }
    run_time = {
      title = "End-to-end time of runs", unit = "ms", plot = "LINE", queries = {
        for part in ["50", "95", "99"] :
        "p${part}" => "histogram_quantile(0.${part}, sum by (le) (rate(${local.q.run_buckets}${local._every})))"
      }
    }
    late = {
      title = "Runs later than ${var.alerts.run_latency_seconds} s, by flow", unit = "1", plot = "STACKED_BAR", queries = {
        "" = "sum by (flow) (increase(${local.q.late}${local._every}))"
      }
    }
    burn = {
      title = "Burn rate of the latency objective, by flow (1 h)", unit = "1", plot = "LINE", queries = {
        "" = "(sum by (flow) (increase(${local.q.late}[1h])) / sum by (flow) (increase(${local.q.ended}[1h]))) / ${format("%.6f", 1 - var.alerts.slo)}"
      }
    }
    stage_p50 = {
      title = "Processing time of the stages, p50", unit = "ms", plot = "LINE", queries = {
        "" = "histogram_quantile(0.50, sum by (stage, le) (rate(${local.q.stage_buckets}${local._every})))"
      }
    }
    stage_p95 = {
      title = "Processing time of the stages, p95", unit = "ms", plot = "LINE", queries = {
        "" = "histogram_quantile(0.95, sum by (stage, le) (rate(${local.q.stage_buckets}${local._every})))"
      }
    }
    stage_p99 = {
      title = "Processing time of the stages, p99", unit = "ms", plot = "LINE", queries = {
        "" = "histogram_quantile(0.99, sum by (stage, le) (rate(${local.q.stage_buckets}${local._every})))"
      }
    }
    stage_success = {
      title = "Attempts that are acknowledged, by stage", unit = "10^2.%", plot = "LINE", queries = {
        "" = "sum by (stage) (increase(${local.q.stage_acks}[30m])) / sum by (stage) (increase(${local.q.stage_attempts}[30m]))"
      }
    }
    stage_outcomes = {
      title = "Attempts that are not, by stage and error", unit = "1", plot = "STACKED_BAR", queries = {
        "" = "sum by (stage, disposition, code) (increase(${replace(local.q.stage_attempts, "}", ",disposition!=\"ack\"}")}${local._every}))"
      }
    }
    oldest = {
      title = "Age of the oldest message, by subscription", unit = "s", plot = "LINE", queries = {
        "" = "max by (subscription_id) (${local.q.oldest})"
      }
    }
    undelivered = {
      title = "Messages that wait, by subscription", unit = "1", plot = "LINE", queries = {
        ""       = "max by (subscription_id) (${local.q.undelivered})"
        "parked" = "max(${local.q.parked})"
      }
    }
    tokens = {
      title = "Tokens, by flow and prompt version", unit = "{token}", plot = "STACKED_BAR", queries = {
        "" = "sum by (flow, prompt, prompt_version) (increase(${local.q.input_tokens}${local._every})) + sum by (flow, prompt, prompt_version) (increase(${local.q.output_tokens}${local._every}))"
      }
    }
    cost = {
      title = "Cost in USD, by flow and prompt version", unit = "{USD}", plot = "STACKED_BAR", queries = {
        "" = "sum by (flow, prompt, prompt_version) (increase(${local.q.cost}${local._every}))"
      }
    }
    calls = {
      title = "Calls of models, by model", unit = "{call}", plot = "STACKED_BAR", queries = {
        "" = "sum by (model) (increase(${local.q.model_calls}${local._every}))"
      }
    }
    repairs = {
      title = "Repair turns, by prompt version", unit = "{turn}", plot = "STACKED_BAR", queries = {
        "" = "sum by (prompt, prompt_version) (increase(${local.q.repair_turns}${local._every}))"
      }
    }
    dead_letters = {
      title = "Dead letters, by stage and error", unit = "1", plot = "STACKED_BAR", queries = {
        "" = "sum by (stage, code) (increase(${local.q.dead_letters}${local._every}))"
      }
    }
    answers_5xx = {
      title = "5xx answers of the services (a nack is a 503)", unit = "1", plot = "STACKED_BAR", queries = {
        "" = "sum by (service_name) (increase(${local.q.answers_5xx}${local._every}))"
      }
    }
    instances = {
      title = "Instances, by service and state", unit = "1", plot = "LINE", queries = {
        "" = "sum by (service_name, state) (${local.q.instances})"
      }
    }
  }

  _chart = {
    for key, chart in local._charts : key => {
      title = chart.title
      xyChart = {
        dataSets = [
          for legend, query in chart.queries : {
            legendTemplate = legend
            plotType       = chart.plot
            targetAxis     = "Y1"
            timeSeriesQuery = {
              prometheusQuery = query
              unitOverride    = chart.unit
            }
          }
        ]
        yAxis = { label = "", scale = "LINEAR" }
      }
    }
  }

  # A number each. `bad` is where it turns red, `worse` the side of it.
  _numbers = {
    success = {
      title = "Runs that succeed (1 h)", unit = "10^2.%", bad = 1 - var.alerts.error_ratio, worse = "BELOW"
      query = "1 - (sum(increase(${local.q.failed}[1h])) or vector(0)) / sum(increase(${local.q.ended}[1h]))"
    }
    in_time = {
      title = "Runs in time (24 h)", unit = "10^2.%", bad = var.alerts.slo, worse = "BELOW"
      query = "1 - (sum(increase(${local.q.late}[24h])) or vector(0)) / sum(increase(${local.q.ended}[24h]))"
    }
    oldest = {
      title = "Oldest message", unit = "s", bad = var.alerts.oldest_unacked_seconds, worse = "ABOVE"
      query = "max(${local.q.oldest})"
    }
    dead_letters = {
      title = "Dead letters (24 h)", unit = "1", bad = var.alerts.dead_letters, worse = "ABOVE"
      query = "sum(increase(${local.q.dead_letters}[24h])) or vector(0)"
    }
    spend = {
      title = "Cost of models (1 h)", unit = "{USD}", bad = var.alerts.spend_usd_per_hour, worse = "ABOVE"
      query = "sum(increase(${local.q.cost}[1h])) or vector(0)"
    }
    runs = {
      title = "Runs ended (1 h)", unit = "1", bad = 0, worse = "BELOW"
      query = "sum(increase(${local.q.ended}[1h])) or vector(0)"
    }
  }

  _number = {
    for key, number in local._numbers : key => {
      title = number.title
      scorecard = {
        thresholds      = [{ color = "RED", direction = number.worse, value = number.bad }]
        timeSeriesQuery = { prometheusQuery = number.query, unitOverride = number.unit }
      }
    }
  }

  _errors = join("\n", concat(local._ours, ["severity>=ERROR"]))

  _console = "https://console.cloud.google.com"
  _links = {
    title = "What this is"
    text = {
      format = "MARKDOWN"
      content = join("\n\n", [
        "The stages of `${var.prefix}` in ${var.region}. What to do when something is red: ${var.runbook_url}",
        join(" · ", [
          "[error lines](${local._console}/logs/query;query=${urlencode(local._errors)}?project=${var.project_id})",
          "[services](${local._console}/run?project=${var.project_id})",
          "[subscriptions](${local._console}/cloudpubsub/subscription/list?project=${var.project_id})",
          "[records](${local._console}/firestore/databases?project=${var.project_id})",
          "[incidents](${local._console}/monitoring/alerting?project=${var.project_id})",
        ]),
        "One run's story: `segue trace ID --cloud`. Numbers from logs are a few minutes late.",
      ])
    }
  }
  _log_lines = {
    title     = "Error lines of the stages"
    logsPanel = { filter = local._errors, resourceNames = ["projects/${var.project_id}"] }
  }

  # Widgets of a row share its width.
  _rows = [
    { height = 8, widgets = [local._links] },
    {
      height = 8, widgets = [
        local._number.success, local._number.in_time, local._number.runs,
        local._number.oldest, local._number.dead_letters, local._number.spend,
      ]
    },
    { height = 16, widgets = [local._chart.runs, local._chart.success_by_flow, local._chart.steps] },
    { height = 16, widgets = [local._chart.run_time, local._chart.late, local._chart.burn] },
    { height = 16, widgets = [local._chart.stage_p50, local._chart.stage_p95, local._chart.stage_p99] },
    { height = 16, widgets = [local._chart.stage_success, local._chart.stage_outcomes, local._chart.dead_letters] },
    { height = 16, widgets = [local._chart.oldest, local._chart.undelivered] },
    { height = 16, widgets = [local._chart.tokens, local._chart.cost] },
    { height = 16, widgets = [local._chart.calls, local._chart.repairs] },
    { height = 16, widgets = [local._chart.instances, local._chart.answers_5xx] },
    { height = 20, widgets = [local._log_lines] },
  ]
  _heights = [for row in local._rows : row.height]

  dashboard = {
    displayName = "${var.prefix}: flows, stages, cost"
    mosaicLayout = {
      columns = 48
      tiles = flatten([
        for number, row in local._rows : [
          for place, widget in row.widgets : {
            xPos   = place * (48 / length(row.widgets))
            yPos   = sum(concat([0], slice(local._heights, 0, number)))
            width  = 48 / length(row.widgets)
            height = row.height
            widget = widget
          }
        ]
      ])
    }
  }
}
