import Testing
import WasmInterpreter

/// Guests that wait with objects on their stacks, in every kind of call.
extension ExecutionTests {
    private static let box = "(type $box (struct (field i32)))"

    /// Functions with references for arguments, each called for the first time in the midst of a slice.
    private static let callee = """
        \(box)
        (func (export "far") (param $a (ref $box)) (param $b (ref $box)) (result (ref $box))
          (return_call $inner (local.get $b) (local.get $a)))
        (func $inner (param $a (ref $box)) (param $b (ref $box)) (result (ref $box))
          (struct.new $box (i32.sub
            (struct.get $box 0 (local.get $a)) (struct.get $box 0 (local.get $b)))))
        """

    private static let caller = """
        \(box)
        (type $two (func (param (ref $box) (ref $box)) (result (ref $box))))
        (import "env" "ask" (func $ask (param i32) (result i32)))
        (import "env" "keep" (func $keep (param anyref) (result anyref)))
        (import "callee" "far" (func $far (type $two)))
        (tag $tag (param (ref $box)))
        (table $table funcref (elem $far $near $thrower $tail))
        (func $new (param i32) (result (ref $box)) (struct.new $box (local.get 0)))
        (func $near (type $two)
          (call $new (i32.add
            (struct.get $box 0 (local.get 0)) (struct.get $box 0 (local.get 1)))))
        (func $thrower (type $two)
          (throw $tag (call $new (i32.mul
            (struct.get $box 0 (local.get 0)) (call $ask (struct.get $box 0 (local.get 1)))))))
        (func $tail (type $two)
          (return_call_indirect $table (type $two)
            (ref.cast (ref $box) (call $keep (local.get 1))) (local.get 0) (i32.const 0)))
        (func $caught (param $a (ref $box)) (param $b (ref $box)) (param $f i32)
          (result (ref $box))
          (block $h (result (ref $box))
            (try_table (result (ref $box)) (catch $tag $h)
              (call_indirect $table (type $two)
                (local.get $a) (local.get $b) (local.get $f)))))
        (func (export "main") (param $n i32) (result i32)
          (local $a (ref null $box)) (local $b (ref null $box))
          (local.set $a (call $new (i32.const 3)))
          (local.set $b (call $new (i32.const 5)))
          (loop $again
            (local.set $a (call $caught
              (ref.as_non_null (local.get $a)) (ref.as_non_null (local.get $b))
              (i32.and (local.get $n) (i32.const 3))))
            (local.set $b (call $caught
              (ref.as_non_null (local.get $b)) (call $new (local.get $n)) (i32.const 1)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (i32.add (struct.get $box 0 (local.get $a)) (struct.get $box 0 (local.get $b))))
        """

    private static func instance(stressed: Bool) throws -> (TextHouse, Instance) {
        let house = Self.house(stressed: stressed)
        house.linker.define("env", "keep") {
            (caller: borrowing Caller, value: AnyReference?) -> AnyReference? in
            caller.store.collectGarbage()
            throw Suspension(value as Any)
        }
        house.linker.define(instance: try house.instantiate(callee), as: "callee")
        return (house, try house.instantiate(caller))
    }

    /// What `main` answers, computed without WebAssembly.
    private static func expected(_ n: Int32) -> Int32 {
        var (a, b, n): (Int32, Int32, Int32) = (3, 5, n)
        repeat {
            switch n & 3 {
            case 0: a = b &- a
            case 1: a = a &+ b
            case 2: a = a &* (b &+ 1)
            default: a = a &- b
            }
            b = b &+ n
            n -= 1
        } while n != 0
        return a &+ b
    }

    @Test(arguments: [nil, 1, 3] as [UInt64?])
    func objectsOfThoseWhoWaitStay(slice: UInt64?) throws {
        let (house, instance) = try Self.instance(stressed: true)
        let main = try #require(instance.function("main"))
        var waiting: [(n: Int32, execution: Execution, outcome: Execution.Outcome)] = []
        for n: Int32 in 1...6 {
            let execution = try main.start([.i32(n)])
            execution.slice = slice
            waiting.append((n, execution, try execution.resume()))
        }
        var steps = 0
        while !waiting.isEmpty {
            let index = steps % waiting.count
            steps += 1
            let (n, execution, outcome) = waiting[index]
            switch outcome {
            case .finished(let values):
                #expect(values == [.i32(Self.expected(n))])
                waiting.remove(at: index)
            case .suspended(.hostFunction(let suspension)):
                if let number = suspension.request as? Int32 {
                    waiting[index].outcome = try execution.resume(returning: [.i32(number &+ 1)])
                } else {
                    let value = suspension.request as? AnyReference
                    waiting[index].outcome = try execution.resume(returning: [.any(value)])
                }
            case .suspended: waiting[index].outcome = try execution.resume()
            }
            if steps % 5 == 0 { house.store.collectGarbage() }
        }
    }
}
