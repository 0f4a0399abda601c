/// Instructions that throw. Catching needs no instruction: see `CatchTable`.
let exceptionFamilies = [
    Family(
        "throwException", "throwException", [[Choice("throw", "")]], fields: "s0 u",
        "field 0: the first slot of the payload; upper half of word 1: the tag"),
    Family("throwReference", "throwReference", [[Choice("throw_ref", "")]], fields: "s1"),
]
