# Checked in definitions/variables.tf, where their rules and defaults are.

variable "alerts" {
  description = "Thresholds of the alert policies; what is left out or null has its default."
  type = object({
    dead_letters           = optional(number)
    error_ratio            = optional(number)
    min_runs               = optional(number)
    oldest_unacked_seconds = optional(number)
    run_latency_seconds    = optional(number)
    slo                    = optional(number)
    spend_usd_per_hour     = optional(number)
    sweep_silence_minutes  = optional(number)
  })
  nullable = false
  default  = {}
}

variable "labels" {
  description = "Labels of every alert policy."
  type        = map(string)
  nullable    = false
  default     = {}
}

variable "notification_channels" {
  description = "Channels that are told of every incident: projects/PROJECT/notificationChannels/ID."
  type        = list(string)
  nullable    = false
  default     = []

  validation {
    condition     = alltrue([for id in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", id))])
    error_message = "notification_channels takes full names, projects/PROJECT/notificationChannels/ID; list them with: gcloud beta monitoring channels list --format='value(name)'."
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
}
