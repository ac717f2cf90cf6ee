variable "account" {
  description = "Service account that the function runs as."
  type        = object({ email = string, member = string })
  nullable    = false
}

variable "build" {
  description = "Who builds functions, and where images go."
  type        = object({ account = string, repository = string })
  nullable    = false
}

variable "bundle" {
  description = "Files of the bundle (path in it -> path from the root), and their hash."
  type        = object({ files = map(string), hash = string })
  nullable    = false
}

variable "burial" {
  description = "Where dead letters are pushed, and where those go that fail even there; null for the burying stage."
  type        = object({ dead_letter_topic = string, url = string })
  default     = null
}

variable "database" {
  description = "Name of the Firestore database."
  type        = string
  nullable    = false
}

variable "ingress" {
  description = "Networks that requests may come from."
  type        = string
  default     = "ALLOW_ALL"
  nullable    = false
}

variable "keep_backlogs" {
  description = "Whether a subscription that goes out of use stays behind, with what waits in it."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key" {
  description = "Key for the topics and the function; null is Google's own."
  type        = string
  default     = null
}

variable "payload_bucket" {
  description = "Bucket of payloads too large for Firestore."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "Project that everything belongs to."
  type        = string
  nullable    = false
}

variable "public" {
  description = "Whether anybody may call the function, as it checks itself who does."
  type        = bool
  default     = false
  nullable    = false
}

variable "publishers" {
  description = "Topic -> stage -> its account as a member, for the stage's own topics."
  type        = map(map(string))
  default     = {}
  nullable    = false
}

variable "pubsub_agent" {
  description = "Google's Pub/Sub service agent of the project, as a member."
  type        = string
  nullable    = false
}

variable "push_account" {
  description = "Service account that Pub/Sub pushes as."
  type        = object({ email = string, member = string })
  nullable    = false
}

variable "region" {
  description = "Region of the function."
  type        = string
  nullable    = false
}

variable "root" {
  description = "Path of the repository root."
  type        = string
  nullable    = false
}

variable "secrets" {
  description = "Environment variable -> the secret and version that it holds."
  type        = map(object({ secret = string, version = string }))
  default     = {}
  nullable    = false
}

variable "sources_bucket" {
  description = "Bucket of the bundles."
  type        = string
  nullable    = false
}

variable "stage" {
  description = "The stage, as modules/plan puts it."
  type = object({
    concurrency       = number
    cpu               = string
    dead_letter_topic = optional(string)
    deletes           = optional(bool, false)
    environment       = map(string)
    function          = string
    max_instances     = number
    memory            = string
    min_instances     = number
    name              = string
    stores            = bool
    timeout           = number
    topic             = optional(string)
    trigger           = string
    uses_model        = bool

    dead_letter_subscription = optional(object({
      ack_deadline = number
      max_attempts = number
      max_backoff  = number
      min_backoff  = number
      name         = string
    }))
    subscriptions = optional(map(object({
      ack_deadline = number
      filter       = string
      max_attempts = number
      max_backoff  = number
      min_backoff  = number
      name         = string
      ordering     = bool
    })), {})
  })
  nullable = false
}

variable "traces" {
  description = "Whether the stage exports spans to Cloud Trace."
  type        = bool
  default     = false
  nullable    = false
}

variable "vpc" {
  description = "Network that the function's outgoing connections take; null is none."
  type = object({
    egress     = string
    network    = string
    subnetwork = string
  })
  default = null
}
