output "bundles" {
  description = "Stage -> its files (path in the bundle -> path from the root) and their hash."
  value = {
    for name, files in local._bundles :
    name => { files = files, hash = local._hashes[name] }
  }

  precondition {
    condition     = length(local._bundle_problems) == 0
    error_message = join("\n", local._bundle_problems)
  }
}

output "bury" {
  description = "Name of the stage that dead letters are pushed to."
  value       = local._bury
}

output "fields" {
  description = "Firestore fields that are indexed otherwise than by default, or expire."
  value       = local._fields
}

output "indexes" {
  description = "Composite and vector indexes of Firestore."
  value       = local._composites
}

output "parking" {
  description = "The pull subscription of what even the burying stage cannot take."
  value       = local._parking
}

output "prefix" {
  description = "Beginning of every name."
  value       = local._prefix
}

output "publishers" {
  description = "Topic -> stages that send to it."
  value       = local._publishers
}

output "schedules" {
  description = "Cloud Scheduler jobs by name."
  value       = local._schedules

  precondition {
    condition     = length(local._schedule_problems) == 0
    error_message = join("\n", local._schedule_problems)
  }
}

output "secrets" {
  description = "Stage -> secrets that are mounted in it."
  value       = { for name, stage in local._stages : name => stage.secrets }

  precondition {
    condition     = length(local._secret_problems) == 0
    error_message = join("\n", local._secret_problems)
  }
}

output "stages" {
  description = "Stages with every default applied, as modules/stage takes them."
  value       = local._stages

  precondition {
    condition     = length(local._table_problems) == 0
    error_message = join("\n", local._table_problems)
  }
  precondition {
    condition     = length(local._size_problems) == 0
    error_message = join("\n", local._size_problems)
  }
  precondition {
    condition     = length(local._environment_problems) == 0
    error_message = join("\n", local._environment_problems)
  }
}

output "subscriptions" {
  description = "Every subscription, as emulator/topology.py has it too."
  value       = local._subscriptions

  precondition {
    condition     = length(local._deadline_problems) == 0
    error_message = join("\n", local._deadline_problems)
  }
  precondition {
    condition     = length(local._delivery_problems) == 0
    error_message = join("\n", local._delivery_problems)
  }
}

output "topics" {
  description = "Names of all topics."
  value       = keys(local._publishers)

  precondition {
    condition     = length(local._topic_problems) == 0
    error_message = join("\n", local._topic_problems)
  }
}
