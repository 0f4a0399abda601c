import Wasmd

/// Fuel bounds work: each call and each turn of a loop uses one unit.
func fuel() throws {
    let engine = Engine()
    let module = try Module(
        text: """
            (module (func (export "spin") (param i32)
              (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))
            """, engine: engine)
    let store = Store(engine: engine)
    let spin = try Instance(module, in: store).function("spin", as: ((Int32) -> Void).self)

    store.fuel = 10_000
    try spin(1000)
    print("left after 1000 turns:", store.fuel ?? 0)
    do {
        try spin(1_000_000)
    } catch let trap as Trap where trap.code == .outOfFuel {
        print("a million turns:", trap)
    }
}
