variable "environment" {
  description = "Further SEGUE_* variables of every function."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "flows_path" {
  description = "Folder of the flows, from the repository root."
  type        = string
  default     = "prompts/flows"
  nullable    = false
}

variable "indexes" {
  description = "infra/indexes.yaml, decoded."
  type        = any
  default     = {}
  nullable    = false
}

variable "langfuse" {
  description = "Langfuse as the registry of prompts; its secret key is in `secrets`."
  type = object({
    host            = string
    public_key      = string
    refresh_seconds = number
  })
  default = null
}

variable "prefix" {
  description = "Beginning of every name; null takes the stage table's."
  type        = string
  default     = null
}

variable "project_id" {
  description = "Project that everything belongs to."
  type        = string
  nullable    = false
}

variable "root" {
  description = "Path of the repository root."
  type        = string
  nullable    = false
}

variable "secrets" {
  description = <<-EOT
    Secrets that there are, by the name of their environment variable: one
    that Terraform stores has a `version`, one kept elsewhere is `existing`.
  EOT
  type = map(object({
    existing = optional(string)
    version  = optional(number)
  }))
  default  = {}
  nullable = false
}

variable "settings" {
  description = "What functions are told of the deployment."
  type = object({
    database       = optional(string, "(default)")
    model_location = optional(string, "global")
    otlp_endpoint  = optional(string, "")
    payload_bucket = optional(string, "")
    retention_days = optional(number, 30)
    trace_sample   = optional(number, 1)
  })
  default  = {}
  nullable = false
}

variable "stage_overrides" {
  description = "Sizes of single stages that differ from the stage table."
  type = map(object({
    concurrency   = optional(number)
    cpu           = optional(string)
    max_instances = optional(number)
    memory        = optional(string)
    min_instances = optional(number)
  }))
  default  = {}
  nullable = false
}

variable "table" {
  description = "functions/stages.yaml, decoded."
  type        = any
  nullable    = false
}
