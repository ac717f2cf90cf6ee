# What is wrong with the input: lists of sentences that name the stage, the
# value and what to change. outputs.tf refuses to plan while there are any.

locals {
  _keys = [
    "ack_deadline", "budget", "concurrency", "cpu", "data", "deletes",
    "effectful", "extras", "filter", "max_attempts", "max_instances", "memory",
    "min_instances", "ordering", "priorities", "public", "publishes", "retry",
    "schedule", "secrets", "stores", "timeout", "topic", "trigger",
  ]
  _for_topics = [
    "ack_deadline", "filter", "max_attempts", "ordering", "priorities", "retry",
    "schedule", "topic",
  ]
  _for_deliveries = ["ack_deadline", "max_attempts", "retry"]
  _needed = {
    "dead-letters" = concat(["budget", "memory", "timeout"], local._for_deliveries)
    "http"         = ["budget", "memory", "timeout"]
    "topic"        = concat(["budget", "memory", "timeout", "topic"], local._for_deliveries)
  }
  _misplaced = {
    "dead-letters" = concat(["public"], ["filter", "ordering", "priorities", "schedule", "topic"])
    "http"         = local._for_topics
    "topic"        = ["public"]
  }
  _given = {
    for name, row in local._table :
    name => try([for key, value in row : key if value != null], [])
  }

  _table_problems = concat(
    length(local._table) > 0 ? [] : [
      "functions/stages.yaml: there is no stage under `stages`: the file must hold the table of stages",
    ],
    can(regex("^[a-z][a-z0-9-]{0,19}$", local._prefix)) ? [] : [
      "prefix ${jsonencode(local._prefix)}: use 1 to 20 of a-z, 0-9 and -, a letter first",
    ],
    length(local._buriers) == 1 ? [] : [
      "functions/stages.yaml: exactly one stage must have `trigger: dead-letters`, not ${length(local._buriers)} (${join(", ", local._buriers)}): messages that fail have to end somewhere",
    ],
    flatten([
      for name, row in local._rows : concat(
        can(regex("^[a-z][a-z0-9]*$", name)) ? [] : [
          "stage ${name}: a stage is called by its Python function: use a-z and 0-9, a letter first",
        ],
        !contains(["build", "flow", "push"], name) ? [] : [
          "stage ${name}: the deployment needs that name itself: choose another",
        ],
        length(local._prefix) + 1 + length(name) <= 30 ? [] : [
          "stage ${name}: its service account ${local._prefix}-${name} would have ${length(local._prefix) + 1 + length(name)} characters, and 30 are allowed: shorten the prefix or the stage's name",
        ],
        length(local._prefix) + 1 + length(name) >= 6 ? [] : [
          "stage ${name}: its service account ${local._prefix}-${name} would have fewer than 6 characters: lengthen the prefix or the stage's name",
        ],
        [
          for key in local._given[name] :
          "stage ${name}: unknown key `${key}`: it is none of ${join(", ", local._keys)}"
          if !contains(local._keys, key)
        ],
        contains(keys(local._needed), row.trigger) ? [] : [
          "stage ${name}: trigger is ${jsonencode(row.trigger)}: it must be http, topic or dead-letters",
        ],
        [
          for key in try(local._needed[row.trigger], []) :
          "stage ${name}: `${key}` is missing: a stage with trigger ${row.trigger} needs it"
          if !contains(local._given[name], key)
        ],
        [
          for key in try(local._misplaced[row.trigger], []) :
          "stage ${name}: `${key}` says nothing for a stage with trigger ${row.trigger}: leave it out"
          if contains(local._given[name], key)
        ],
      )
    ]),
  )

  # https://cloud.google.com/run/docs/configuring/services/cpu and
  # .../memory-limits: memory in MiB that goes with so many CPUs.
  _memory_of_cpu = {
    "1" = { least = 128, most = 4096 }
    "2" = { least = 128, most = 8192 }
    "4" = { least = 2048, most = 16384 }
    "6" = { least = 4096, most = 24576 }
    "8" = { least = 4096, most = 32768 }
  }
  _written_cpus = {
    for name, row in local._table : name => try(coalesce(
      try(var.stage_overrides[name].cpu, null),
      try(tostring(row.cpu), jsonencode(row.cpu)),
    ), "1")
  }
  _fractions = {
    for name, row in local._rows : name => (
      row.cpu == null ? false : row.cpu >= 0.08 && row.cpu < 1
    )
  }
  _memory_bounds = {
    for name, row in local._rows : name => (
      local._fractions[name]
      ? { least = 128, most = row.cpu < 0.5 ? 512 : 1024 }
      : try(local._memory_of_cpu[tostring(row.cpu)], null)
    )
  }

  _counts = {
    concurrency   = { least = 1, most = 1000 }
    max_attempts  = { least = 5, most = 100 }
    max_instances = { least = 1, most = 1000 }
    min_instances = { least = 0, most = 1000 }
  }
  _miscounted = {
    for key, count in local._counts : key => [
      for name, row in local._rows :
      "stage ${name}: ${key} is ${jsonencode(row[key])}: it must be a whole number from ${count.least} to ${count.most}"
      if !try(
        row[key] >= count.least && row[key] <= count.most
        && floor(row[key]) == row[key],
        row[key] == null && !contains(local._given[name], key),
      )
    ]
  }

  _size_problems = concat(
    local._miscounted.concurrency,
    local._miscounted.max_instances,
    local._miscounted.min_instances,
    [
      for name in keys(var.stage_overrides) :
      "stage_overrides: there is no stage ${name}: it must be one of ${join(", ", keys(local._rows))}"
      if !contains(keys(local._rows), name)
    ],
    flatten([
      for name, row in local._rows : concat(
        local._memory_bounds[name] != null ? [] : [
          "stage ${name}: cpu is ${jsonencode(local._written_cpus[name])}: Cloud Run takes 1, 2, 4, 6, 8, or 0.08 to less than 1",
        ],
        local._mebibytes[name] != null
        || !contains(local._given[name], "memory") ? [] : [
          "stage ${name}: memory is ${jsonencode(row.memory)}: write it as 512Mi or 2Gi",
        ],
        try(
          local._mebibytes[name] >= local._memory_bounds[name].least
          && local._mebibytes[name] <= local._memory_bounds[name].most,
          true,
          ) ? [] : [
          "stage ${name}: memory is ${row.memory} with cpu ${row.cpu}: that many CPUs go with ${local._memory_bounds[name].least}Mi to ${local._memory_bounds[name].most}Mi: change memory or cpu",
        ],
        !local._fractions[name] || try(row.concurrency == 1, true) ? [] : [
          "stage ${name}: concurrency is ${jsonencode(row.concurrency)} with cpu ${row.cpu}: less than one CPU serves one request at a time: set concurrency to 1 or cpu to 1",
        ],
        try(row.min_instances <= row.max_instances, true) ? [] : [
          "stage ${name}: min_instances is ${row.min_instances} and max_instances ${row.max_instances}: lower the one or raise the other",
        ],
      )
    ]),
  )

  _deadline_problems = concat(
    [
      for key, text in local._durations :
      "stage ${replace(key, "/", ": ")} is ${jsonencode(text)}: a duration is a number and a unit: 500ms, 90s, 10m"
      if text != null && local._seconds[key] == null
    ],
    flatten([
      for name, row in local._rows : concat(
        try(row.budget > 0, true) ? [] : [
          "stage ${name}: budget is ${row.budget}s: it must be above 0",
        ],
        try(row.budget < row.timeout, true) ? [] : [
          "stage ${name}: budget is ${row.budget}s and timeout ${row.timeout}s: lower the budget below the timeout, so that the stage gives up before the platform cuts it off",
        ],
        try(row.timeout <= 600, true) ? [] : [
          "stage ${name}: timeout is ${row.timeout}s: Pub/Sub waits at most 600s for a push to be answered: lower it to 600s or less",
        ],
        try(floor(row.timeout) == row.timeout, true) ? [] : [
          "stage ${name}: timeout is ${row.timeout}s: it must be whole seconds",
        ],
        try(row.timeout <= row.ack_deadline, true) ? [] : [
          "stage ${name}: timeout is ${row.timeout}s and ack_deadline ${row.ack_deadline}s: raise ack_deadline to the timeout or more, or the message is sent again while the stage still works",
        ],
        try(
          row.ack_deadline >= 10 && row.ack_deadline <= 600,
          row.ack_deadline == null,
          ) ? [] : [
          "stage ${name}: ack_deadline is ${row.ack_deadline}s: Pub/Sub takes 10s to 600s",
        ],
        try(floor(row.ack_deadline) == row.ack_deadline, true) ? [] : [
          "stage ${name}: ack_deadline is ${row.ack_deadline}s: it must be whole seconds",
        ],
      )
    ]),
  )

  _filter_bytes = {
    for name, filters in local._filters : name => max([
      for filter in values(filters) :
      floor(length(replace(base64encode(filter), "=", "")) * 3 / 4)
    ]...)
  }

  _delivery_problems = concat(local._miscounted.max_attempts, flatten([
    for name, row in local._rows : concat(
      [
        for which, seconds in { min = row.min_backoff, max = row.max_backoff } :
        "stage ${name}: retry.${which} is ${seconds}s: Pub/Sub takes 0s to 600s"
        if try(seconds < 0 || seconds > 600, false)
      ],
      try(row.min_backoff <= row.max_backoff, true) ? [] : [
        "stage ${name}: retry.min is ${row.min_backoff}s and retry.max ${row.max_backoff}s: lower the one or raise the other",
      ],
      [
        for which in ["min", "max"] :
        "stage ${name}: `retry.${which}` is missing: retry needs min and max"
        if contains(local._given[name], "retry")
        && local._durations["${name}/retry.${which}"] == null
      ],
      local._filter_bytes[name] <= 256 ? [] : [
        "stage ${name}: filter has ${local._filter_bytes[name]} bytes${local._rows[name].priorities ? " with that of a priority" : ""}: Pub/Sub takes 256",
      ],
    )
  ]))

  _topic_problems = concat(
    [
      for topic, stages in local._owners :
      "topic ${topic}: it is of ${join(" and ", stages)}: every stage has a topic of its own, give them different ones"
      if length(stages) > 1
    ],
    flatten([
      for name, row in local._rows : [
        for topic in row.publishes :
        "stage ${name}: publishes to ${topic}, which no stage reads: it must be one of ${join(", ", keys(local._owners))}"
        if !contains(keys(local._owners), topic)
      ]
    ]),
    [
      for name in keys(local._publishers) :
      "topic ${name}: Pub/Sub takes 3 to 255 letters, digits and - in a name, a letter first and not \"goog\": change `topic` of ${join(" and ", try(local._owners[trimprefix(name, "${local._prefix}-")], ["its stage"]))}, or the prefix"
      if !can(regex("^[a-z][a-z0-9-]{2,254}$", name)) || startswith(name, "goog")
    ],
  )

  _bundle_problems = concat(
    can(var.table.bundle) ? [] : [
      "functions/stages.yaml: there is no `bundle`: it must say which files, folders and suffixes a function is deployed with",
    ],
    local._absent,
  )

  _schedule_problems = concat(
    [
      for file, flow in local._flow_files :
      "${file}: this is no YAML: segue flows check says where"
      if flow == null
    ],
    [
      for name, job in local._schedules :
      "schedule ${name}: ${jsonencode(job.cron)} is no cron line: it has five fields, as in \"*/5 * * * *\""
      if !can(regex("^\\S+(\\s+\\S+){4}$", trimspace(job.cron)))
    ],
    length(local._flow_jobs) == 0 || contains(keys(local._owners), "events") ? [] : [
      "schedules: flows ${join(", ", keys(local._scheduled_flows))} start by the clock, and no stage has `topic: events`",
    ],
  )

  _known_secrets = distinct(flatten([for row in values(local._rows) : row.secrets]))

  _langfuse_key = "LANGFUSE_SECRET_KEY"

  _secret_problems = flatten([
    var.langfuse == null || contains(keys(var.secrets), local._langfuse_key) ? [] : [
      "langfuse: its secret key is missing: name ${local._langfuse_key} in `secrets`",
    ],
    [for name, secret in var.secrets : concat(
      contains(local._known_secrets, name) ? [] : [
        "secrets: no stage takes ${name}: it must be one of ${join(", ", sort(local._known_secrets))}",
      ],
      (secret.version == null) != (secret.existing == null) ? [] : [
        "secrets: ${name} must have either `version` (Terraform stores its value) or `existing` (the name of a secret of the project), and not both",
      ],
      try(
        secret.version >= 1 && floor(secret.version) == secret.version,
        secret.version == null,
        ) ? [] : [
        "secrets: version of ${name} is ${secret.version}: count it up from 1 with each new value",
      ],
    )],
  ])

  _environment_problems = flatten([
    for name in keys(var.environment) : concat(
      startswith(name, "SEGUE_") ? [] : [
        "environment: ${name} does not begin with SEGUE_: Segue reads no other variable",
      ],
      !contains(local._reserved, name) ? [] : [
        "environment: ${name} follows from the deployment's own variables: leave it out",
      ],
      !contains(local._known_secrets, name) ? [] : [
        "environment: ${name} is a secret and would be readable by whoever sees the function: name it in `secrets`",
      ],
      name != "SEGUE_PROMPT_REGISTRY" || var.environment[name] != "langfuse" ? [] : [
        "environment: ${name} is langfuse for functions that have no keys, and they would not start: set the variable `langfuse`",
      ],
    )
  ])
}
