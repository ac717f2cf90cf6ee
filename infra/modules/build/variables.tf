variable "bucket" {
  description = "Name of the bucket of the bundles."
  type        = string
  nullable    = false
}

variable "deletion_protection" {
  description = "Whether a destroy stops at a bucket that is not empty."
  type        = bool
  nullable    = false
}

variable "kms_key" {
  description = "Key for bundles and images; null is Google's own."
  type        = string
  default     = null
}

variable "prefix" {
  description = "Beginning of every name."
  type        = string
  nullable    = false
}

variable "project_id" {
  description = "Project that everything belongs to."
  type        = string
  nullable    = false
}

variable "project_number" {
  description = "Number of the project."
  type        = string
  nullable    = false
}

variable "region" {
  description = "Region of bundles, builds and images."
  type        = string
  nullable    = false
}
