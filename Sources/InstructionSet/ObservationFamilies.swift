/// Instructions for observers and counters: emitted only for engines that are configured so.
let observationFamilies = [
    Family(
        "countBlock", "countBlock", [[Choice("count", "")]], fields: "",
        "word 1: the address of a counter"),
    Family(
        "observeCall", "observeCall", [[Choice("observe", "")]], fields: "n0 u", code: .mayCall,
        "field 0: 0 on entry, 1 on return; upper half of word 1: the function's index"),
]
