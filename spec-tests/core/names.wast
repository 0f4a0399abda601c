;; Names are bytes: two that Unicode calls equivalent are two names.

(module $names
  ;; U+00E9, and e with U+0301
  (func (export "\c3\a9") (result i32) (i32.const 1))
  (func (export "e\cc\81") (result i32) (i32.const 2))
  ;; U+212B Angstrom sign, U+00C5, A with U+030A
  (func (export "\e2\84\ab") (result i32) (i32.const 3))
  (func (export "\c3\85") (result i32) (i32.const 4))
  (func (export "A\cc\8a") (result i32) (i32.const 5))
  ;; U+AC00, and its two letters
  (func (export "\ea\b0\80") (result i32) (i32.const 6))
  (func (export "\e1\84\80\e1\85\a1") (result i32) (i32.const 7))
  ;; two marks in either order
  (func (export "a\cc\a3\cc\87") (result i32) (i32.const 8))
  (func (export "a\cc\87\cc\a3") (result i32) (i32.const 9))
  ;; U+FB01 ligature, full-width A, other cases
  (func (export "\ef\ac\81") (result i32) (i32.const 10))
  (func (export "fi") (result i32) (i32.const 11))
  (func (export "\ef\bc\a1") (result i32) (i32.const 12))
  (func (export "A") (result i32) (i32.const 13))
  (func (export "a") (result i32) (i32.const 14))
  ;; nothing, a zero, a line break, a byte order mark
  (func (export "") (result i32) (i32.const 15))
  (func (export "\00") (result i32) (i32.const 16))
  (func (export "\00\00") (result i32) (i32.const 17))
  (func (export "\n") (result i32) (i32.const 18))
  (func (export "\r\n") (result i32) (i32.const 19))
  (func (export "\ef\bb\bf") (result i32) (i32.const 20)))

(assert_return (invoke "\c3\a9") (i32.const 1))
(assert_return (invoke "e\cc\81") (i32.const 2))
(assert_return (invoke "\e2\84\ab") (i32.const 3))
(assert_return (invoke "\c3\85") (i32.const 4))
(assert_return (invoke "A\cc\8a") (i32.const 5))
(assert_return (invoke "\ea\b0\80") (i32.const 6))
(assert_return (invoke "\e1\84\80\e1\85\a1") (i32.const 7))
(assert_return (invoke "a\cc\a3\cc\87") (i32.const 8))
(assert_return (invoke "a\cc\87\cc\a3") (i32.const 9))
(assert_return (invoke "\ef\ac\81") (i32.const 10))
(assert_return (invoke "fi") (i32.const 11))
(assert_return (invoke "\ef\bc\a1") (i32.const 12))
(assert_return (invoke "A") (i32.const 13))
(assert_return (invoke "a") (i32.const 14))
(assert_return (invoke "") (i32.const 15))
(assert_return (invoke "\00") (i32.const 16))
(assert_return (invoke "\00\00") (i32.const 17))
(assert_return (invoke "\n") (i32.const 18))
(assert_return (invoke "\r\n") (i32.const 19))
(assert_return (invoke "\ef\bb\bf") (i32.const 20))

(assert_invalid
  (module (func (export "e\cc\81")) (func (export "e\cc\81"))) "duplicate export name")

;; Names of modules, too.
(register "\c3\a9" $names)
(module (import "\c3\a9" "e\cc\81" (func (result i32))))
(assert_unlinkable
  (module (import "e\cc\81" "e\cc\81" (func (result i32)))) "unknown import")
(register "e\cc\81" $names)
(module $imports
  (import "e\cc\81" "\c3\85" (func $four (result i32)))
  (import "\c3\a9" "A\cc\8a" (func $five (result i32)))
  (func (export "list") (result i32 i32) (call $four) (call $five)))
(assert_return (invoke "list") (i32.const 4) (i32.const 5))

;; Registering again replaces all that was there.
(module $other (func (export "other")))
(register "\c3\a9" $other)
(module (import "\c3\a9" "other" (func)))
(assert_unlinkable (module (import "\c3\a9" "A" (func (result i32)))) "unknown import")

(assert_malformed (module quote "(func (export \"\\c3\"))") "malformed UTF-8 encoding")
(assert_malformed (module quote "(func (export \"\\ed\\a0\\80\"))") "malformed UTF-8 encoding")
