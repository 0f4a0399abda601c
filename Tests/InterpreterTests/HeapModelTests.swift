import Testing
import WasmMachine

@testable import WasmInterpreter

/// Random programs on objects, compared with a model of the same objects in Swift.
@Suite struct HeapModelTests {
    private static let text = """
        (rec
          (type $pair (struct (field $tag i32) (field $a (mut anyref)) (field $b (mut anyref))))
          (type $list (array (mut anyref)))
          (type $wide (struct (field $tag i32) (field i64) (field i8) (field $a (mut anyref))
            (field f64) (field f64) (field f64) (field f64) (field $b (mut anyref)))))
        (table $t (export "roots") 24 anyref)
        (func (export "pair") (param $to i32) (param $tag i32) (param $a i32) (param $b i32)
          (table.set $t (local.get $to) (struct.new $pair (local.get $tag)
            (table.get $t (local.get $a)) (table.get $t (local.get $b)))))
        (func (export "wide") (param $to i32) (param $tag i32) (param $a i32) (param $b i32)
          (table.set $t (local.get $to) (struct.new $wide (local.get $tag)
            (i64.const -1) (i32.const 5) (table.get $t (local.get $a))
            (f64.const 1) (f64.const 2) (f64.const 3) (f64.const 4)
            (table.get $t (local.get $b)))))
        (func (export "list") (param $to i32) (param $count i32) (param $a i32)
          (table.set $t (local.get $to)
            (array.new $list (table.get $t (local.get $a)) (local.get $count))))
        (func (export "number") (param $to i32) (param $value i32)
          (table.set $t (local.get $to) (ref.i31 (local.get $value))))
        (func (export "clear") (param $to i32) (table.set $t (local.get $to) (ref.null any)))
        (func (export "get") (param $to i32) (param $from i32) (param $index i32)
          (local $x anyref)
          (local.set $x (table.get $t (local.get $from)))
          (table.set $t (local.get $to)
            (block $done (result anyref)
              (block $no (result anyref)
                (br $done (if (result anyref) (local.get $index)
                  (then (struct.get $pair $b (br_on_cast_fail $no anyref (ref $pair) (local.get $x))))
                  (else (struct.get $pair $a
                    (br_on_cast_fail $no anyref (ref $pair) (local.get $x)))))))
              (block $other (param anyref) (result anyref)
                (br $done (array.get $list
                  (br_on_cast_fail $other anyref (ref $list)) (local.get $index))))
              (ref.cast (ref $wide)) (struct.get $wide $a))))
        (func (export "set") (param $in i32) (param $index i32) (param $value i32)
          (local $x anyref)
          (local.set $x (table.get $t (local.get $in)))
          (if (ref.test (ref $pair) (local.get $x))
            (then
              (if (local.get $index)
                (then (struct.set $pair $b (ref.cast (ref $pair) (local.get $x))
                  (table.get $t (local.get $value))))
                (else (struct.set $pair $a (ref.cast (ref $pair) (local.get $x))
                  (table.get $t (local.get $value))))))
            (else
              (if (ref.test (ref $list) (local.get $x))
                (then (array.set $list (ref.cast (ref $list) (local.get $x)) (local.get $index)
                  (table.get $t (local.get $value))))
                (else (struct.set $wide $a (ref.cast (ref $wide) (local.get $x))
                  (table.get $t (local.get $value))))))))
        """

    /// An object of the model; `null` and numbers are values without fields.
    private final class Object {
        enum Kind { case pair, wide, list }
        let kind: Kind
        let tag: Int32
        var fields: [Item]
        init(_ kind: Kind, _ tag: Int32, _ fields: [Item]) {
            (self.kind, self.tag, self.fields) = (kind, tag, fields)
        }
        /// Bytes of its cell.
        var byteCount: Int {
            switch kind {
            case .pair: 24
            case .wide: 72
            case .list: SizeClass.byteCount(SizeClass.containing(8 + 8 * fields.count))
            }
        }
    }
    private enum Item {
        case null
        case number(Int32)
        case object(Object)
    }

    @Test(arguments: [(1, false), (2, false), (3, true), (4, true)])
    func agreesWithModel(seed: UInt64, stressed: Bool) throws {
        var random = Generator(seed)
        let house = TextHouse(stressed: stressed)
        let instance = try house.instantiate(Self.text)
        let table = try #require(instance.table("roots"))
        var roots: [Item] = Array(repeating: .null, count: 24)
        for step in 0..<(stressed ? 1500 : 20_000) {
            let (to, a, b) = (random.below(24), random.below(24), random.below(24))
            let arguments = { (list: Int...) in list.map { Value.i32(Int32($0)) } }
            switch random.below(10) {
            case 0...1:
                _ = try instance.function("pair")?.call(arguments(to, step, a, b))
                roots[to] = .object(Object(.pair, Int32(step), [roots[a], roots[b]]))
            case 2:
                _ = try instance.function("wide")?.call(arguments(to, step, a, b))
                roots[to] = .object(Object(.wide, Int32(step), [roots[a], roots[b]]))
            case 3:
                let count = random.below(random.below(20) == 0 ? 6000 : 40) + 1
                _ = try instance.function("list")?.call(arguments(to, count, a))
                roots[to] = .object(
                    Object(.list, 0, Array(repeating: roots[a], count: count)))
            case 4:
                _ = try instance.function("number")?.call(arguments(to, step))
                roots[to] = .number(Int32(step))
            case 5:
                _ = try instance.function("clear")?.call(arguments(to))
                roots[to] = .null
            case 6...7:
                guard case .object(let object) = roots[a] else { continue }
                let index = object.kind == .wide ? 0 : random.below(object.fields.count)
                _ = try instance.function("get")?.call(arguments(to, a, index))
                roots[to] = object.fields[index]
            default:
                guard case .object(let object) = roots[a] else { continue }
                let index = object.kind == .wide ? 0 : random.below(object.fields.count)
                _ = try instance.function("set")?.call(arguments(a, index, b))
                object.fields[index] = roots[b]
            }
            if step % (stressed ? 100 : 500) == 0 {
                let byteCount = try compare(roots, table)
                house.store.collectGarbage()
                // The slots of the last call may keep an object and what it leads to.
                #expect(house.store.liveHeapByteCount >= byteCount)
                try instance.call("clear", .i32(Int32(to)))
                roots[to] = .null
            }
        }
        _ = try compare(roots, table)
        // Nothing is left when nothing is reachable.
        for index: Int32 in 0..<24 { try instance.call("clear", .i32(index)) }
        house.store.collectGarbage()
        #expect(house.store.liveHeapByteCount == 0)
        // The model is full of cycles.
        for case .object(let object) in roots { object.fields = [] }
    }

    /// Walks both graphs side by side. Answers the bytes of all objects.
    private func compare(_ roots: [Item], _ table: Table) throws -> Int {
        var pending: [(Item, Value)] = []
        for (index, item) in roots.enumerated() {
            pending.append((item, try table.get(at: UInt64(index))))
        }
        var known: [ObjectIdentifier: AnyReference] = [:]
        var objects: Set<AnyReference> = []
        var byteCount = 0
        while let (item, value) = pending.popLast() {
            switch item {
            case .null: #expect(value == .any(nil))
            case .number(let number): #expect(value == .any(AnyReference(i31: number)))
            case .object(let object):
                let reference = try #require(value.anyReference)
                if let before = known[ObjectIdentifier(object)] {
                    #expect(before == reference)
                    continue
                }
                known[ObjectIdentifier(object)] = reference
                #expect(objects.insert(reference).inserted)
                byteCount += object.byteCount
                var fields: [Int]
                switch object.kind {
                case .pair: fields = [1, 2]
                case .wide:
                    fields = [3, 8]
                    #expect(reference[1] == .i64(-1))
                    #expect(reference[2] == .i32(5))
                    #expect(reference[7] == .f64(4))
                case .list: fields = Array(object.fields.indices)
                }
                if object.kind != .list { #expect(reference[0] == .i32(object.tag)) }
                #expect(reference.kind == (object.kind == .list ? .array : .structure))
                // A long list mostly holds one value.
                if fields.count > 100 { fields = Array(fields.prefix(100)) }
                for (field, index) in zip(object.fields, fields) {
                    pending.append((field, try #require(reference[index])))
                }
            }
        }
        return byteCount
    }
}

/// A small generator with a seed.
private struct Generator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func below(_ limit: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state % UInt64(max(limit, 1)))
    }
}
