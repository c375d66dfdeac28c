"""Conditions, one a line, each of which cedarpy and generated code must agree on."""

EXPRESSIONS = tuple(
    r"""
true == 1
1 == true
"1" == 1
[1] == [true]
[1, true] == [true, 1]
[1, 1] == [1]
{a: 1} == {a: true}
context.b == 1
context.n == true
1 != true
context.n != 7
context.n == context.n
context.r == context.r
context.r.x == 1
{a: [context.n]} == {a: [7]}
context.mixed.contains(1)
context.mixed.contains(true)
context.mixed.contains(context.b)
context.mixed.contains({a: 1})
context.mixed.contains({a: true})
context.mixed.contains([1])
context.mixed.contains([true])
context.mixed.contains("1")
[1].contains(true)
"a" < "b"
1 < true
context.n < 8
context.n < context.r.x
context.r.x <= context.n
context.n == context.zz
context.n == context.zz.y
principal == context.zz
context.n <= 7
context.n > 7
context.n >= 7
7 < context.n
context.n < context.s
context.t < context.t
context.t <= context.t
context.u < context.t
context.u > context.u
context.u >= context.u
context.d < context.d
context.zz < context.t
context.t < context.zz
datetime("2026-01-01") < datetime("2027-01-01")
9223372036854775807 + 1 > 0
9223372036854775807 + 0 > 0
-9223372036854775808 - 1 < 0
9223372036854775807 * 2 > 0
-(-9223372036854775808) > 0
-(context.n) == -7
1 + true == 2
context.n * context.n == 49
context.s + 1 == 1
-("a") == 1
3 - 4 == -1
-9223372036854775808 * -1 > 0
true && 1 == 1
false && 1
true && (1 == 1 && 2 == 2)
1 && false
context.zz && false
false && context.zz
true || context.zz
context.zz || true
false || 1
(true || false) && (false || true)
!context.b
!context.n
!!true
if context.b then true else context.zz
if context.n then true else false
(if true then 1 else context.s) == 1
(if false then 1 else context.zz) == 1
(if true then context.zz else 1) == 1
if true then 1 else 2
context.b
context.n
context has n
context has zz
context.r has x
context.r has zz
context has r.y.z
context has r.zz.y
context.n has x
context.zz has x
principal has age
principal has zz
resource has age
principal.boss has age
principal.r has x
true has a
{a: 1} has a
{a: 1} has b
({a: context.zz}) has b
{a: {b: 1}}.a.b == 1
{a: 1}.b == 1
(1).a == 1
context.s.x == 1
principal.age == 40
principal.zz == 1
resource.age == 1
principal.boss.age == 1
principal.r.x == 1
principal.age.x == 1
context["n"] == 7
context.r["__proto__"] == 2
context.r.y.z == "q"
context.zz.y == 1
{a: context.zz} == {a: 1}
principal in G::"g"
principal in G::"top"
principal in U::"ann"
principal in [G::"x", G::"top"]
principal in []
resource in D::"d"
resource in G::"g"
action in Action::"all"
principal in context.g
context.e in context.g
principal in 1
context.e in G::"top"
context.n in G::"g"
principal in [1]
principal in [G::"top", 1]
context.e in principal
principal in [true]
principal in [{a: 1}]
principal in context.zz
U::"ann" in G::"g"
U::"nobody" in U::"nobody"
principal in [context.e]
principal is U
principal is G
principal is U in G::"g"
context.e is U in G::"top"
context.n is U
context.n is U in G::"g"
context.e is G in context.zz
U::"ann" is U
(if true then context.e else principal) is U in G::"g"
context.zz is U
principal is U in 1
context.s like "a*"
context.s like "a\**"
context.s like "a\*b"
context.s like "*b"
context.s like "a*b*"
context.n like "*"
"" like ""
"" like "*"
"ab" like "a*b*b"
"acb" like "a*x*b"
"ab" like "x*b"
"a" like "a*a"
"ab" like "a*c"
"aXbXb" like "a*b*b"
"abc" like "*d*"
"ab" like "ab"
"aa" like "a*a*a"
[] == []
[[]].contains([])
[1, 2].containsAll([2])
[1].containsAll([1, 2])
[1].containsAny([2, 1])
[].containsAny([1])
[].isEmpty()
context.l.isEmpty()
context.n.isEmpty()
context.l.contains(1)
1.contains(1)
[1].containsAll(1)
1.containsAny([1])
[context.zz].contains(1)
[context.n, 1].contains(7)
["a", context.s].contains("a")
[context.b, false].contains(true)
[{a: context.n}].contains({a: 7})
[].contains(context.zz)
[principal].contains(context.e)
principal.hasTag("t")
principal.hasTag("zz")
resource.hasTag("t")
principal.hasTag(1)
context.n.hasTag("t")
principal.hasTag(context.zz)
principal.getTag("t") == 1
principal.getTag("zz") == 1
resource.getTag("t") == 1
principal.getTag(context.n) == 1
principal.getTag("u") like "x*"
principal.getTag("zz") has a
{a: principal.getTag("t")} == {a: 1}
{a: principal.getTag("zz")} has b
context.d.lessThan(decimal("1.6"))
context.d.lessThanOrEqual(decimal("1.5"))
context.d.greaterThan(decimal("1.5"))
context.d.greaterThanOrEqual(decimal("1.5"))
context.d == decimal("1.50")
context.n.lessThan(context.d)
decimal(context.s) == context.d
decimal(context.n) == context.d
decimal(if true then "1.5" else "x") == context.d
decimal("x") == decimal("1.0")
duration("") == context.u
duration("-") == context.u
duration("1ms1s") == context.u
datetime("2026-1-1") == context.t
datetime("2026-02-29") == context.t
datetime("2024-02-29") < context.t
datetime("2026-13-01") == context.t
datetime("2026-01-31T24:00:00Z") == context.t
datetime("2026-01-31T10:60:00Z") == context.t
datetime("2026-01-31T10:00:00+0130") == datetime("2026-01-31T08:30:00Z")
datetime("2026-01-31T10:00:00-0130") == datetime("2026-01-31T11:30:00Z")
ip("1.2.3") == context.i
ip("1.2.3.4/33") == context.i
ip("1.2.3.4/08") == context.i
ip("::ffff:1.2.3.4") == context.i
ip("fe80::1%1") == context.i
ip("127.0.0.0/7").isLoopback()
ip("::1/127").isLoopback()
ip("224.0.0.0/4").isMulticast()
ip("ff00::/7").isMulticast()
decimal("-0.0") == decimal("0.0")
context.i.isIpv4()
context.i.isIpv6()
context.i.isLoopback()
context.i.isMulticast()
context.i.isInRange(ip("10.0.0.0/8"))
context.i.isInRange(ip("::/0"))
ip("10.0.0.1/32") == context.i
ip("10.0.0.1/31") == context.i
context.n.isIpv4()
context.t.offset(context.u) < context.t
context.t.offset(duration("9223372036854775807ms")) < context.t
context.t.durationSince(context.t) == duration("0ms")
context.t.toDate() == datetime("2026-01-31")
context.t.toTime() == duration("10h")
datetime("1969-12-31T23:00:00Z").toTime() == duration("23h")
datetime("1969-12-31T23:00:00Z").toDate() == datetime("1969-12-31")
datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toDate() == context.t
datetime("9999-01-01").durationSince(datetime("1970-01-01").offset(duration("-9223372036854775808ms"))) == context.u
context.u.toMilliseconds() == -90000
context.u.toSeconds() == -90
context.u.toMinutes() == -1
context.u.toHours() == 0
duration("49h").toDays() == 2
duration("-49h").toDays() == -2
duration("90s").toMinutes() == 1
context.n.toDays() == 1
context == context
context.zz == context.zz
principal == principal
principal == context.e
context.e == principal
context.e == U::"ann"
context.s == "a*b"
"a*b" == context.s
context.n == "a*b"
context.zz == "a"
context.r == 1
[context.n] == [7]
""".strip().splitlines()
)
