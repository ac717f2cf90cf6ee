# Firestore's indexes, TTL fields and exemptions. The embedded engine refuses
# what the same file does not cover.

locals {
  _indexes = [
    for index in try(var.indexes.indexes, []) : {
      collection = index.collection
      scope = (
        try(index.scope, "") == "group" ? "COLLECTION_GROUP" : "COLLECTION"
      )
      fields = [
        for field in index.fields : {
          array_config = try(field.contains, false) ? "CONTAINS" : null
          dimension    = try(tonumber(field.vector), null)
          order = (
            try(field.contains, false) || can(field.vector)
            ? null
            : try(field.order, "") == "desc" ? "DESCENDING" : "ASCENDING"
          )
          path = field.path
        }
      ]
    }
  ]

  _single = [
    for index in local._indexes : index
    if length(index.fields) == 1 && index.fields[0].dimension == null
  ]

  # An index of one field is no composite index to Firestore: it belongs to
  # the field's own configuration.
  _composites = {
    for index in local._indexes : join(" ", concat(
      [index.collection, lower(index.scope)],
      [
        for field in index.fields : join(":", compact([
          field.path, field.order, field.array_config, field.dimension,
        ]))
      ],
    )) => index
    if length(index.fields) > 1 || index.fields[0].dimension != null
  }

  _exempt = flatten([
    for collection, paths in try(var.indexes.unindexed, {}) :
    [for path in paths : "${collection}/${path}"]
  ])
  _expiring = [
    for collection in try(var.indexes.ttl.collections, []) :
    "${collection}/${var.indexes.ttl.field}"
  ]
  _ordinary = [
    { array_config = null, order = "ASCENDING", scope = "COLLECTION" },
    { array_config = null, order = "DESCENDING", scope = "COLLECTION" },
    { array_config = "CONTAINS", order = null, scope = "COLLECTION" },
  ]

  # indexes: null leaves Firestore's automatic ones, an empty list has none.
  _fields = {
    for key in distinct(concat(
      local._exempt,
      local._expiring,
      [
        for index in local._single :
        "${index.collection}/${index.fields[0].path}"
      ],
      )) : key => {
      collection = split("/", key)[0]
      expires    = contains(local._expiring, key)
      field      = split("/", key)[1]
      indexes = contains(local._exempt, key) ? [] : try(concat(
        [for index in local._ordinary : index if length(local._added[key]) > 0],
        local._added[key],
      ), null)
    }
  }
  _added = {
    for index in local._single :
    "${index.collection}/${index.fields[0].path}" => {
      array_config = index.fields[0].array_config
      order        = index.fields[0].order
      scope        = index.scope
    }...
  }
}
