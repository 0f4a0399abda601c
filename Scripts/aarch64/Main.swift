// Prints results that must be the same on every processor: see `Scripts/run-aarch64`.
//
//     machine handlers        every instruction with edge values
//     machine torture         10^8 instructions on a small native stack
//     machine modules FILE... decodes, validates, translates and runs modules

import WasmMachine

@_cdecl("main")
func main(
    _ count: Int32, _ arguments: UnsafePointer<UnsafePointer<CChar>?>
) -> Int32 {
    let arguments = (1..<max(Int(count), 1)).compactMap { index in
        arguments[index].map { String(cString: $0) }
    }
    guard Stage.open() else {
        print("the stage cannot be mapped")
        return 1
    }
    switch arguments.first {
    case "handlers": Handlers.runAll()
    case "torture":
        Trial.prepareStage()
        Torture.run()
    case "modules": for path in arguments.dropFirst() { Guest.run(path) }
    default:
        print("usage: machine handlers|torture|modules FILE...")
        return 2
    }
    return 0
}
