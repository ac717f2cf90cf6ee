# What a person is told of. Every condition is PromQL, for two reasons: a ratio needs it, and only
# it can be created before the metric has its first point (disable_metric_validation); a condition
# by filter is refused with "Cannot find metric" on the first apply.
locals {
  _minutes = "${var.alerts.sweep_silence_minutes}m"

  # Burn rate = part of the runs that were late / part that may be. Two windows each: the long one
  # says that it matters, the short one that it still goes on. Windows and rates are those of the
  # Google SRE Workbook, chapter 5, table 5-8, for an objective over 30 days: 14.4 for an hour is
  # 2 % of the month's budget, 6 for six hours 5 %.
  _burns = {
    fast = { rate = 14.4, long = "1h", short = "5m" }
    slow = { rate = 6, long = "6h", short = "30m" }
  }
  _burning = {
    for speed, burn in local._burns : speed => join(" and ", concat(
      [
        for window in [burn.long, burn.short] :
        "sum by (flow) (increase(${local.q.late}[${window}])) / sum by (flow) (increase(${local.q.ended}[${window}])) > ${format("%.6f", burn.rate * (1 - var.alerts.slo))}"
      ],
      ["sum by (flow) (increase(${local.q.ended}[${burn.long}])) >= ${var.alerts.min_runs}"],
    ))
  }
  _objective = "${format("%g", var.alerts.slo * 100)} % of a flow's runs end within ${var.alerts.run_latency_seconds} s"

  _alerts = {
    backlog = {
      title    = "a message waits for more than ${var.alerts.oldest_unacked_seconds} s"
      severity = "ERROR"
      seconds  = 120
      query    = "max by (subscription_id) (${local.q.oldest}) > ${var.alerts.oldest_unacked_seconds}"
      meaning  = "The oldest message of a subscription has not been acknowledged for more than ${var.alerts.oldest_unacked_seconds} s: its stage is failing, cannot keep up, or is not there. Nothing is lost; messages are kept for days."
      first    = "Look at the stage's answers and instances on the dashboard, then at its error lines."
    }
    dead_letter = {
      title    = "a dead letter has arrived"
      severity = "ERROR"
      seconds  = 0
      query    = "sum by (stage, flow, code) (increase(${local.q.dead_letters}[10m])) > ${var.alerts.dead_letters}"
      meaning  = "A message could not be processed and is kept with its reason and its bytes. Its run, if it had one, has failed."
      first    = "`segue dead-letters`, then `segue dead-letters show ID` for the reason. Repair the cause, then redrive."
    }
    errors = {
      title    = "more than ${format("%g", var.alerts.error_ratio * 100)} % of a flow's runs fail"
      severity = "ERROR"
      seconds  = 0
      query    = "sum by (flow) (increase(${local.q.failed}[30m])) / sum by (flow) (increase(${local.q.ended}[30m])) > ${var.alerts.error_ratio} and sum by (flow) (increase(${local.q.ended}[30m])) >= ${var.alerts.min_runs}"
      meaning  = "Of the runs of a flow that ended within 30 minutes, more failed than may. Flows with fewer than ${var.alerts.min_runs} ended runs do not count."
      first    = "`segue runs --flow FLOW --status failed`, then `segue show RUN` for the step and its error."
    }
    latency_fast = {
      title    = "runs are late: the month's budget is gone in two days"
      severity = "CRITICAL"
      seconds  = 0
      query    = local._burning.fast
      meaning  = "The objective is that ${local._objective}. It is being missed 14.4 times as often as it may be, over the last hour and the last 5 minutes."
      first    = "Look at the processing time of each stage and at the backlog on the dashboard: one of them grew."
    }
    latency_slow = {
      title    = "runs are late: the month's budget is gone in five days"
      severity = "WARNING"
      seconds  = 0
      query    = local._burning.slow
      meaning  = "The objective is that ${local._objective}. It is being missed 6 times as often as it may be, over the last 6 hours and the last 30 minutes."
      first    = "Compare the processing time of the stages with last week's. This can wait for the morning."
    }
    parked = {
      title    = "a message that even bury could not take"
      severity = "CRITICAL"
      seconds  = 0
      query    = "max by (subscription_id) (${local.q.parked}) > 0"
      meaning  = "The stage that keeps dead letters failed at one until its attempts were used up. The message is parked on the subscription ${var.parked_subscription}, outside of `segue dead-letters`, and is deleted when the subscription's retention has passed."
      first    = "Find out why bury fails, from its error lines, and save the message before its time is up."
    }
    spend = {
      title    = "models cost more than ${var.alerts.spend_usd_per_hour} USD an hour"
      severity = "WARNING"
      seconds  = 0
      query    = "sum(increase(${local.q.cost}[1h])) > ${var.alerts.spend_usd_per_hour}"
      meaning  = "What the models of the last hour cost by `prompts/prices.yaml`. Models without a price there are not counted."
      first    = "Find the flow and the prompt version on the dashboard; see whether more events came or a prompt got longer."
    }
    # Not condition_absent: that stays silent when there has never been a point, and when points
    # of 0 arrive. `or vector(0)` makes silence a number.
    sweep_silent = {
      title    = "sweep has not worked for ${var.alerts.sweep_silence_minutes} minutes"
      severity = "ERROR"
      seconds  = 300
      query    = "(sum(increase(${local.q.swept}[${local._minutes}])) or vector(0)) < 1"
      meaning  = "No tick of the sweeper has succeeded for ${var.alerts.sweep_silence_minutes} minutes. Runs past their deadline are not ended and what has expired is not deleted. The next tick makes up for it."
      first    = "See whether the scheduler's job runs, then whether the stage sweep fails."
    }
  }

  alerts = {
    for key, alert in local._alerts : key => {
      display_name = "${var.prefix}: ${alert.title}"
      severity     = alert.severity
      query        = alert.query
      duration     = "${alert.seconds}s"
      # What looks back for six hours need not be asked every minute.
      evaluation_interval = key == "latency_slow" ? "300s" : "60s"
      anchor              = "alert-${replace(key, "_", "-")}"
      runbook_url         = "${var.runbook_url}#alert-${replace(key, "_", "-")}"
      documentation = join("\n\n", [
        "**What it means.** ${alert.meaning}",
        "**First.** ${alert.first}",
        "**Then.** ${var.runbook_url}#alert-${replace(key, "_", "-")}",
        "Concerned: $${metric_or_resource.labels}. Severity ${alert.severity}, project ${var.project_id}.",
      ])
    }
  }
}
