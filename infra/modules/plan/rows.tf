# The stage table with its defaults applied. Whatever the table holds, nothing
# here fails: what is unsound becomes null or empty, and problems.tf says so.

locals {
  _prefix = try(coalesce(var.prefix, var.table.prefix), "")
  _table  = try({ for name, row in var.table.stages : name => row }, {})

  _rows = {
    for name, row in local._table : name => {
      ack_deadline = local._seconds["${name}/ack_deadline"]
      budget       = local._seconds["${name}/budget"]
      max_backoff  = local._seconds["${name}/retry.max"]
      min_backoff  = local._seconds["${name}/retry.min"]
      timeout      = local._seconds["${name}/timeout"]

      data         = try([for path in row.data : tostring(path)], [])
      deletes      = try(tobool(row.deletes), false)
      effectful    = try(tobool(row.effectful), false)
      extras       = try([for extra in row.extras : tostring(extra)], [])
      filter       = try(coalesce(tostring(row.filter)), "")
      max_attempts = try(tonumber(row.max_attempts), null)
      ordering     = try(tobool(row.ordering), false)
      priorities   = try(tobool(row.priorities), false)
      public       = try(tobool(row.public), false)
      publishes    = try([for topic in row.publishes : tostring(topic)], [])
      schedule     = try(tostring(row.schedule), null)
      secrets      = try([for secret in row.secrets : tostring(secret)], [])
      stores       = try(tobool(row.stores), true)
      topic        = try(tostring(row.topic), null)
      trigger      = try(coalesce(tostring(row.trigger)), "")

      concurrency = try(coalesce(
        try(var.stage_overrides[name].concurrency, null),
        tonumber(try(row.concurrency, 80)),
      ), null)
      cpu = try(tonumber(coalesce(
        try(var.stage_overrides[name].cpu, null),
        tostring(try(row.cpu, "1")),
      )), null)
      max_instances = try(coalesce(
        try(var.stage_overrides[name].max_instances, null),
        tonumber(try(row.max_instances, 20)),
      ), null)
      memory = try(coalesce(
        try(var.stage_overrides[name].memory, null),
        tostring(row.memory),
      ), "")
      min_instances = try(coalesce(
        try(var.stage_overrides[name].min_instances, null),
        tonumber(try(row.min_instances, 0)),
      ), null)
    }
  }

  _mebibytes = {
    for name, row in local._rows : name => try(
      tonumber(regex("^([0-9]+)Mi$", row.memory)[0]),
      tonumber(regex("^([0-9]+)Gi$", row.memory)[0]) * 1024,
      null,
    )
  }

  _subscribed = {
    for name, row in local._rows : name => row if row.trigger == "topic"
  }
  _buriers = [
    for name, row in local._rows : name if row.trigger == "dead-letters"
  ]
  _bury = try(one(local._buriers), null)
}
