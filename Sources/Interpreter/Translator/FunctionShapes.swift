import WasmValidator

/// The slots and value classes of a function type, for calls.
struct FunctionShape {
    var parameterSlots = 0
    var resultSlots = 0
    /// Ranges of the parameters' and results' classes in `FunctionShapes.classes`.
    var parameters = 0..<0
    var results = 0..<0

    /// Index of the frame header.
    var headerIndex: Int { max(parameterSlots, resultSlots) }
}

/// The shapes of all function types of a module, by type index.
struct FunctionShapes {
    private(set) var shapes: [FunctionShape] = []
    /// Starts with each class once, for blocks with a single result.
    private(set) var classes: [ValueClass] = [.integer, .float, .double, .vector]
    /// The number of slots of all classes before each one, and of all; wraps around.
    private var slotSums: [UInt32] = [0, 1, 2, 3, 5]

    init(_ types: [SubType]) {
        shapes.reserveCapacity(types.count)
        for type in types {
            var shape = FunctionShape()
            if let function = type.composite.functionType {
                (shape.parameters, shape.parameterSlots) = add(function.parameters)
                (shape.results, shape.resultSlots) = add(function.results)
            }
            shapes.append(shape)
        }
    }

    private mutating func add(_ types: [ValueType]) -> (Range<Int>, Int) {
        let start = classes.count
        var slots = 0
        for type in types {
            let valueClass = ValueClass(type)
            classes.append(valueClass)
            slots += valueClass.slotCount
            slotSums.append(
                slotSums[slotSums.count - 1] &+ UInt32(truncatingIfNeeded: valueClass.slotCount))
        }
        return (start..<classes.count, slots)
    }

    /// The range in `classes` of one value of a class.
    func singleResult(_ valueClass: ValueClass) -> Range<Int> {
        Int(valueClass.rawValue)..<(Int(valueClass.rawValue) + 1)
    }

    /// The slots of values with these classes, a range in `classes`.
    func slotCount(of range: Range<Int>) -> Int {
        Int(slotSums[range.upperBound] &- slotSums[range.lowerBound])
    }

    subscript(_ type: TypeIndex) -> FunctionShape { shapes[Int(type)] }
}
