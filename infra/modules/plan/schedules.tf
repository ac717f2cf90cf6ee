# Cloud Scheduler jobs: ticks of stages, and flows that start by the clock.

locals {
  _flow_files = {
    for file in fileset(var.root, "${var.flows_path}/*.yaml") :
    file => try(yamldecode(file("${var.root}/${file}")), null)
  }

  # `on` is what YAML 1.1 writes for true, and a key that is no text becomes
  # one here.
  _scheduled_flows = {
    for flow in values(local._flow_files) :
    flow.flow => try(flow["true"].schedule, flow.on.schedule)
    if can(flow.flow) && (
      can(flow["true"].schedule.cron) || can(flow.on.schedule.cron)
    )
  }

  # What the local runner sends as a tick.
  _ticks = {
    for name, row in local._subscribed : "${local._prefix}-${name}" => {
      attributes  = { content-type = "application/json" }
      cron        = row.schedule
      data        = base64encode("{}")
      description = "Ticks of the stage ${name}."
      time_zone   = "Etc/UTC"
      topic       = local._topics[name]
    } if row.schedule != null
  }

  _flow_jobs = {
    for flow, schedule in local._scheduled_flows :
    "${local._prefix}-flow-${flow}" => {
      attributes = {
        ce-source  = "/schedules"
        ce-subject = flow
        ce-type    = "segue.schedule.due"
      }
      cron        = tostring(schedule.cron)
      data        = base64encode(jsonencode(try(schedule.data, {})))
      description = "Starts the flow ${flow}."
      time_zone   = try(coalesce(schedule.time_zone), "Etc/UTC")
      topic       = "${local._prefix}-events"
    }
  }

  # What has `route` look for ticks of flows that have not come.
  _checks = length(local._scheduled_flows) == 0 ? {} : {
    "${local._prefix}-schedules" = {
      attributes = {
        ce-source = "/schedules"
        ce-type   = "segue.schedule.check"
      }
      cron        = "*/5 * * * *"
      data        = base64encode("{}")
      description = "Looks for ticks of flows that have not come."
      time_zone   = "Etc/UTC"
      topic       = "${local._prefix}-events"
    }
  }

  _schedules = merge(local._ticks, local._flow_jobs, local._checks)
}
