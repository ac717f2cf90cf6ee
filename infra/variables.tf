variable "alerts" {
  description = "Thresholds of the alert policies; what is left out has its default."
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
  default  = {}
  nullable = false
}

variable "custom_domain" {
  description = <<-EOT
    Host name of `ingest` behind a load balancer of yours. Requests are then
    only taken from that load balancer, and ingest_url names this host.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.custom_domain == null || can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.custom_domain))
    error_message = "custom_domain is a host name without scheme and path, such as events.example.com."
  }
}

variable "deletion_protection" {
  description = "Whether a destroy stops at secrets, and at buckets that are not empty."
  type        = bool
  default     = true
  nullable    = false
}

variable "environment" {
  description = "Further SEGUE_* variables of every function, such as SEGUE_EMAIL_FROM."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "firestore" {
  description = <<-EOT
    The database: its name, its location (null is the region; it can never be
    changed), how far back it can be read, and whether it can be deleted.
  EOT
  type = object({
    database               = optional(string, "(default)")
    delete_protection      = optional(bool, true)
    location               = optional(string)
    point_in_time_recovery = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      var.firestore.database == "(default)"
      || can(regex("^[a-z][a-z0-9-]{2,61}[a-z0-9]$", var.firestore.database))
    )
    error_message = "firestore.database is ${jsonencode(var.firestore.database)}: it must be (default), or 4 to 63 of a-z, 0-9 and -, a letter first."
  }
  validation {
    condition = (
      var.firestore.location == null
      || can(regex("^(eur3|nam5|nam7|[a-z]+-[a-z]+[0-9]+)$", var.firestore.location))
    )
    error_message = "firestore.location is ${jsonencode(var.firestore.location)}: it must be a region such as us-central1, or one of the multi-regions eur3, nam5 and nam7."
  }
}

variable "keep_backlogs" {
  description = <<-EOT
    Whether a subscription that goes out of use (another filter or ordering, a
    stage removed, a destroy) stays behind with the messages that wait in it.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key" {
  description = <<-EOT
    Key that encrypts topics, functions, buckets, database and secrets, instead
    of Google's own keys. Of the same location as all of them.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is a full name: projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY."
  }
  validation {
    condition = (
      var.kms_key == null
      || can(regex("/locations/${var.region}/", var.kms_key))
      && coalesce(var.firestore.location, var.region) == var.region
    )
    error_message = "kms_key, region (${var.region}) and firestore.location must be the same region: a key only encrypts what lies beside it."
  }
}

variable "labels" {
  description = "Labels of everything that takes labels."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "langfuse" {
  description = <<-EOT
    Langfuse as the registry of prompts, in place of Firestore: where it is,
    its public key, and for how many seconds labels are kept in memory. Its
    secret key is the secret LANGFUSE_SECRET_KEY.
  EOT
  type = object({
    host            = optional(string, "https://cloud.langfuse.com")
    public_key      = string
    refresh_seconds = optional(number, 60)
  })
  default = null

  validation {
    condition     = var.langfuse == null || can(regex("^https?://[^/?#]+(/[^?#]*)?$", var.langfuse.host))
    error_message = "langfuse.host is ${jsonencode(try(var.langfuse.host, null))}: it must be an address such as https://cloud.langfuse.com."
  }
  validation {
    condition     = var.langfuse == null || try(length(var.langfuse.public_key) > 0, false)
    error_message = "langfuse.public_key is empty: give the key that Langfuse shows in the project's settings, pk-lf-…."
  }
  validation {
    condition = (
      var.langfuse == null
      || try(var.langfuse.refresh_seconds >= 0 && var.langfuse.refresh_seconds <= 3600, false)
    )
    error_message = "langfuse.refresh_seconds is ${jsonencode(try(var.langfuse.refresh_seconds, null))}: it must be from 0 to 3600."
  }
}

variable "model" {
  description = "Where Vertex AI answers: `global`, a multi-region or a region."
  type        = object({ location = optional(string, "global") })
  default     = {}
  nullable    = false

  validation {
    condition     = can(regex("^(global|us|eu|[a-z]+-[a-z]+[0-9]+)$", var.model.location))
    error_message = "model.location is ${jsonencode(var.model.location)}: it must be global, us, eu or a region such as us-central1."
  }
}

variable "notification_channels" {
  description = "Monitoring channels that alerts go to, by full name."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "otlp_endpoint" {
  description = "Where spans are sent over OTLP, such as https://telemetry.googleapis.com; empty is nowhere."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.otlp_endpoint == "" || can(regex("^https?://[^/?#]+(/[^?#]*)?$", var.otlp_endpoint))
    error_message = "otlp_endpoint is ${jsonencode(var.otlp_endpoint)}: it must be an address such as https://telemetry.googleapis.com, or empty."
  }
}

variable "prefix" {
  description = "Beginning of every name; null takes the stage table's."
  type        = string
  default     = null
}

variable "project_id" {
  description = "The project to deploy to, such as my-project (its id, not its name or number)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is ${jsonencode(var.project_id)}: give the id of a project, 6 to 30 of a-z, 0-9 and -, a letter first (gcloud projects list shows it): -var project_id=my-project."
  }
}

variable "public_ingest" {
  description = <<-EOT
    Whether anybody can reach stages that check callers themselves, as `ingest`
    and `console` do. Otherwise only accounts that you give roles/run.invoker.
  EOT
  type        = bool
  default     = true
  nullable    = false
}

variable "region" {
  description = "Region of functions, buckets and jobs, and of the database unless it says otherwise."
  type        = string
  default     = "us-central1"
  nullable    = false

  validation {
    condition     = contains(local._regions, var.region)
    error_message = "region is ${jsonencode(var.region)}: give one that has Cloud Run functions and Firestore: ${join(", ", local._regions)}."
  }
}

variable "retention_days" {
  description = "How long finished runs, events, dead letters and payloads are kept; a lower number also shortens it for payloads that are there already."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.retention_days >= 1 && var.retention_days <= 3650
    error_message = "retention_days is ${var.retention_days}: it must be from 1 to 3650, as payloads expire by the day."
  }
}

variable "runbook_url" {
  description = "Where your copy of infra/README.md can be read; alerts link to it."
  type        = string
  default     = "infra/README.md"
  nullable    = false
}

variable "secret_values" {
  description = <<-EOT
    Values of the secrets that Terraform stores, by the same names as in
    `secrets`; best given as TF_VAR_secret_values. They are in no state. A plan
    that is saved to a file holds them: delete it once it is applied.
  EOT
  type        = map(string)
  default     = {}
  nullable    = false
  sensitive   = true
}

variable "secrets" {
  description = <<-EOT
    Secrets that there are, by the name of their environment variable. With
    `version = 1` Terraform stores the value that secret_values has; a higher
    number stores a new value. With `existing = "name"` the latest version of
    a secret of the project is used.
  EOT
  type = map(object({
    existing = optional(string)
    version  = optional(number)
  }))
  default  = {}
  nullable = false

  # Names are no secrets, only values are.
  validation {
    condition = alltrue([
      for name, secret in var.secrets : secret.version == null
      || try(length(var.secret_values[name]) > 0, false)
    ])
    error_message = "secret_values has no value for ${join(", ", [
      for name, secret in var.secrets : name if secret.version != null
      && !contains(nonsensitive(keys(var.secret_values)), name)
    ])}: give one (export TF_VAR_secret_values='{NAME = \"value\"}'), or name the secret of the project that has it: secrets = { NAME = { existing = \"name\" } }."
  }
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

variable "trace_sample" {
  description = "Share of runs whose spans are exported, 0 to 1."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.trace_sample >= 0 && var.trace_sample <= 1
    error_message = "trace_sample is ${var.trace_sample}: it must be a share from 0 to 1."
  }
}

variable "vpc" {
  description = <<-EOT
    Network that outgoing connections of functions take (Direct VPC egress):
    those to private addresses, or all of them with VPC_EGRESS_ALL_TRAFFIC.
  EOT
  type = object({
    egress     = optional(string, "VPC_EGRESS_PRIVATE_RANGES_ONLY")
    network    = string
    subnetwork = string
  })
  default = null

  validation {
    condition     = contains(["VPC_EGRESS_ALL_TRAFFIC", "VPC_EGRESS_PRIVATE_RANGES_ONLY"], try(var.vpc.egress, "VPC_EGRESS_ALL_TRAFFIC"))
    error_message = "vpc.egress is ${jsonencode(try(var.vpc.egress, null))}: it must be VPC_EGRESS_ALL_TRAFFIC or VPC_EGRESS_PRIVATE_RANGES_ONLY."
  }
}
