variable "alerts" {
  description = "Thresholds of the alert policies; what is left out or null has its default."
  type = object({
    dead_letters           = optional(number, 0)
    error_ratio            = optional(number, 0.05)
    min_runs               = optional(number, 20)
    oldest_unacked_seconds = optional(number, 600)
    run_latency_seconds    = optional(number, 60)
    slo                    = optional(number, 0.99)
    spend_usd_per_hour     = optional(number, 5)
    sweep_silence_minutes  = optional(number, 10)
  })
  nullable = false
  default  = {}

  validation {
    condition     = var.alerts.dead_letters >= 0 && floor(var.alerts.dead_letters) == var.alerts.dead_letters
    error_message = "alerts.dead_letters is how many dead letters within 10 minutes are no alert: a whole number, 0 or more."
  }
  validation {
    condition     = var.alerts.error_ratio > 0 && var.alerts.error_ratio < 1
    error_message = "alerts.error_ratio is the part of the runs that may fail: between 0 and 1, for example 0.05."
  }
  validation {
    condition     = var.alerts.min_runs >= 1 && floor(var.alerts.min_runs) == var.alerts.min_runs
    error_message = "alerts.min_runs is how many runs of a flow a ratio needs before it counts: a whole number, 1 or more."
  }
  validation {
    condition     = var.alerts.run_latency_seconds > 0
    error_message = "alerts.run_latency_seconds is how long a run may take by the objective: seconds, more than 0."
  }
  validation {
    # A burn rate of 14.4 has to be reachable: 14.4 * (1 - slo) < 1.
    condition     = var.alerts.slo >= 0.95 && var.alerts.slo < 1
    error_message = "alerts.slo is the part of the runs that must end in time: from 0.95 to below 1, for example 0.99. Below 0.95 the fast burn rate of 14.4 could hardly be reached even if every run was late."
  }
  validation {
    condition     = var.alerts.spend_usd_per_hour > 0
    error_message = "alerts.spend_usd_per_hour is in US dollars and must be more than 0."
  }
  validation {
    condition     = var.alerts.sweep_silence_minutes >= 5 && var.alerts.sweep_silence_minutes <= 1440 && floor(var.alerts.sweep_silence_minutes) == var.alerts.sweep_silence_minutes
    error_message = "alerts.sweep_silence_minutes must be a whole number from 5 to 1440: metrics from logs are some minutes late, and below 5 every delay would be an alert."
  }
  validation {
    condition     = alltrue([for stage in values(var.stages) : var.alerts.oldest_unacked_seconds >= stage.budget])
    error_message = "alerts.oldest_unacked_seconds must not be below the longest budget of a stage in functions/stages.yaml: a message that is being worked on is not acknowledged yet. Raise it."
  }
}

variable "parked_subscription" {
  description = "Pull subscription with the messages that even bury could not take."
  type        = string
  nullable    = false
}

variable "prefix" {
  description = "First part of the names of the metrics and of the titles."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.prefix))
    error_message = "prefix must be a lower-case letter, then at most 30 letters, digits or hyphens, for example segue."
  }
}

variable "project_id" {
  description = "Project that the services run in."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region that the services run in."
  type        = string
  nullable    = false
}

variable "runbook_url" {
  description = "Where infra/README.md can be read; each alert links to its section in it."
  type        = string
  nullable    = false
  default     = "infra/README.md"

  validation {
    condition     = var.runbook_url == "infra/README.md" || can(regex("^https://[^#]+$", var.runbook_url))
    error_message = "runbook_url must be an https:// address of infra/README.md without a fragment, or be left out."
  }
}

variable "stages" {
  description = "The stages: their service, the seconds they may work, and the subscriptions that push to them or keep what they gave up."
  type = map(object({
    budget                   = number
    dead_letter_subscription = optional(string)
    function                 = string
    subscriptions            = optional(list(string), [])
  }))
  nullable = false

  validation {
    condition     = contains(keys(var.stages), "sweep")
    error_message = "stages must have the stage sweep: an alert watches over it."
  }
}
