"""What a mathematician would try: functions whose symmetry algebra is in the books, from their exact gradients."""
import pytest
import torch

from symnb.data.exceptional import octonion_table
from symnb.flows.families import matrices
from symnb.flows.nullspace import null_space
from symnb.lie import closure, identify, identify_matrices

pytestmark = pytest.mark.exact
KNOWN = {}


def known(title, d, killing, name, family="linear"):
    "A function of x (d,) whose symmetries among the fields of a family have this Killing signature and name."
    def keep(function):
        KNOWN[title] = function, d, killing, name, family
        return function
    return keep


def numbers(values):
    return torch.tensor(values, dtype=torch.float64)


def symmetric(x):
    return x[torch.tensor([[0, 1, 2], [1, 3, 4], [2, 4, 5]])]


def complex_vectors(x, n):
    return torch.complex(*x.reshape(2, -1, n))


def real_and_imaginary(z):
    return torch.cat([z.real.flatten(), z.imag.flatten()])


def pairs(gram, offset=0):
    return gram[torch.triu_indices(*gram.shape, offset).unbind()]


def square(x, *signs):
    return (x**2 * numbers(signs)).sum()[None]


# Determinants, traces, Pfaffians

@known("det of 3 × 3", 9, (10, 6, 0), "sl(3,R) + sl(3,R)")
def determinant(x):
    return torch.linalg.det(x.reshape(3, 3))[None]


@known("det of symmetric 3 × 3", 6, (5, 3, 0), "sl(3,R)")
def symmetric_determinant(x):
    return torch.linalg.det(symmetric(x))[None]


@known("det of Hermitian 3 × 3", 9, (8, 8, 0), "sl(3,C)")
def hermitian_determinant(x):
    (a, b, c), o = x[6:], 0 * x[0]
    imaginary = torch.stack([o, a, b, -a, o, c, -b, -c, o]).reshape(3, 3)
    return torch.linalg.det(torch.complex(symmetric(x[:6]), imaginary)).real[None]


@known("det of complex 2 × 2", 8, (6, 6, 0), "so(4,C)")
def complex_determinant(x):
    return real_and_imaginary(torch.linalg.det(complex_vectors(x, 2))[None])


@known("trace of the cube of 3 × 3", 9, (5, 3, 0), "sl(3,R)")
def trace_of_cube(x):
    A = x.reshape(3, 3)
    return torch.trace(A @ A @ A)[None]


def pfaffian(A, rows):
    if not rows:
        return 1.0
    i, rest = rows[0], rows[1:]
    return sum((-1) ** k * A[i, j] * pfaffian(A, [r for r in rest if r != j]) for k, j in enumerate(rest))


@known("Pfaffian of 6 × 6", 15, (20, 15, 0), "sl(6,R)")
def pfaffian_of_six(x):
    upper = tuple(torch.triu_indices(6, 6, 1))
    return pfaffian(x.new_zeros(6, 6).index_put(upper, x), list(range(6)))[None]


@known("Cayley's hyperdeterminant", 8, (6, 3, 0), "sl(2,R) + sl(2,R) + sl(2,R)")
def hyperdeterminant(x):
    a, e = x.reshape(2, 2, 2), numbers([[0, 1], [-1, 0]])
    return torch.linalg.det(torch.einsum("aij,bkl,ik,jl->ab", a, a, e, e))[None]


# Forms

@known("Minkowski mass", 4, (3, 3, 0), "so(1,3)")
def minkowski(x):
    return square(x, 1, -1, -1, -1)


@known("complex length in C³", 6, (3, 3, 0), "so(3,C)")
def complex_length(x):
    return real_and_imaginary((complex_vectors(x, 3) ** 2).sum()[None])


@known("a mass and a length", 7, (3, 6, 0), "so(1,3) + so(3)")
def mass_and_length(x):
    return torch.cat([square(x[:4], 1, -1, -1, -1), square(x[4:], 1, 1, 1)])


@known("x y z w", 4, (0, 0, 3), "R^3")
def product(x):
    return x.prod()[None]


SYMPLECTIC = torch.kron(numbers([[0, 1], [-1, 0]]), torch.eye(2, dtype=torch.float64))


@known("ω of two points in R⁴", 8, (16, 12, 0), "so(4,4)")
def symplectic_pair(x):
    return (x[:4] @ SYMPLECTIC @ x[4:])[None]


@known("ω of each two of four points in R⁴", 16, (6, 4, 0), "sp(4,R)")
def symplectic_pairs(x):
    p = x.reshape(4, 4)
    return pairs(p @ SYMPLECTIC @ p.T, 1)


def unitary(x, signs):
    z = complex_vectors(x, len(signs))
    return real_and_imaginary((z.conj() * numbers(signs)) @ z.T)


def special_unitary(x, signs):
    return torch.cat([unitary(x, signs), real_and_imaginary(torch.linalg.det(complex_vectors(x, len(signs)))[None])])


@known("Gram matrix of three vectors of C³", 18, (0, 8, 1), "u(3)")
def gram_u3(x):
    return unitary(x, [1, 1, 1])


@known("Gram matrix and determinant in C³", 18, (0, 8, 0), "su(3)")
def gram_su3(x):
    return special_unitary(x, [1, 1, 1])


@known("Gram matrix and determinant in C^(1,2)", 18, (4, 4, 0), "su(1,2)")
def gram_su12(x):
    return special_unitary(x, [-1, 1, 1])


@known("x_i·ξ_j of three vectors and covectors", 18, (5, 3, 1), "gl(3,R)")
def vectors_and_covectors(x):
    v, xi = x.reshape(2, 3, 3)
    return (v @ xi.T).flatten()


# Quaternions and octonions

def quaternion_table():
    table = torch.zeros(4, 4, 4, dtype=torch.float64)
    table[0], table[:, 0] = torch.eye(4), torch.eye(4)
    for a, b, c in ((1, 2, 3), (2, 3, 1), (3, 1, 2)):
        table[a, a, 0], table[a, b, c], table[b, a, c] = -1, 1, -1
    return table


def octonions(split):
    "Three units and the real one span quaternions; with a square of +1 the other four make the octonions split."
    table, odd = octonion_table().double(), numbers([0, 0, 0, 1, 0, 1, 1, 1])
    return torch.where(split * odd[:, None, None] * odd[:, None] > 0, -table, table)


QUATERNIONS, OCTONIONS, SPLIT = quaternion_table(), octonions(False), octonions(True)


def times(p, q, table):
    return torch.einsum("...i,...j,ijk->...k", p, q, table)


def conjugate(p):
    return torch.cat([p[..., :1], -p[..., 1:]], -1)


@known("x̄_a i x_a on H²", 8, (2, 4, 0), "so*(4)")
@known("x̄_a i x_a on H³", 12, (6, 9, 0), "so*(6)")
def skew_quaternionic(x):
    q = x.reshape(-1, 4)
    return times(times(conjugate(q), numbers([0, 1, 0, 0]).expand_as(q), QUATERNIONS), q, QUATERNIONS).sum(0)[1:]


def quaternionic(x, signs):
    q = x.reshape(-1, len(signs), 4)
    return torch.einsum("aik,bil,klm,i->abm", conjugate(q), q, QUATERNIONS, numbers(signs)).flatten()


@known("quaternionic Gram matrix in H²", 16, (0, 10, 0), "sp(2)")
def quaternionic_gram(x):
    return quaternionic(x, [1, 1])


@known("quaternionic Gram matrix in H^(1,1)", 16, (4, 6, 0), "sp(1,1)")
def split_quaternionic_gram(x):
    return quaternionic(x, [1, -1])


def imaginary_octonions(x, table):
    "Inner products of three, and the real part of their product."
    p = torch.cat([x.new_zeros(3, 1), x.reshape(3, 7)], 1)
    gram = torch.einsum("ai,bj,ij->ab", p, p, table[:, :, 0])
    return torch.cat([pairs(gram), times(times(p[0], p[1], table), p[2], table)[:1]])


def triality(x, table):
    "Norms of three octonions, and the real part of their product."
    p = x.reshape(3, 8)
    return torch.cat([times(p, conjugate(p), table)[:, 0], times(times(p[0], p[1], table), p[2], table)[:1]])


known("imaginary octonions", 21, (0, 14, 0), "G2")(lambda x: imaginary_octonions(x, OCTONIONS))
known("imaginary split octonions", 21, (8, 6, 0), "G2(2)")(lambda x: imaginary_octonions(x, SPLIT))
known("triality of octonions", 24, (0, 28, 0), "so(8)")(lambda x: triality(x, OCTONIONS))
known("triality of split octonions", 24, (16, 12, 0), "so(4,4)")(lambda x: triality(x, SPLIT))


# Binary forms: the group of their variables is all that keeps the discriminant

@known("discriminant of a cubic", 4, (2, 1, 0), "sl(2,R)")
def cubic_discriminant(x):
    a, b, c, d = x
    return (18 * a * b * c * d - 4 * b**3 * d + b**2 * c**2 - 4 * a * c**3 - 27 * a**2 * d**2)[None]


@known("discriminant of a quartic", 5, (2, 1, 0), "sl(2,R)")
def quartic_discriminant(x):
    a, b, c, d, e = x
    i = 12 * a * e - 3 * b * d + c**2
    j = 72 * a * c * e + 9 * b * c * d - 27 * a * d**2 - 27 * e * b**2 - 2 * c**3
    return (4 * i**3 - j**2)[None]


@known("resultant of two quadratics", 6, (4, 2, 0), "sl(2,R) + sl(2,R)")
def resultant(x):
    a, b, c, d, e, f = x
    return ((a * f - c * d) ** 2 - (a * e - b * d) * (b * f - c * e))[None]


# Affine fields

@known("z − |x|²/2", 4, (0, 3, 3), "e(3)", "affine")
def paraboloid(x):
    return x[3:] - square(x[:3], 1, 1, 1) / 2


@known("z − (t² − |x|²)/2", 5, (3, 3, 4), "Poincaré", "affine")
def saddle(x):
    return x[4:] - square(x[:4], 1, -1, -1, -1) / 2


@known("y − x z", 3, (1, 0, 2), "iso(1,1)", "affine")
def ruled(x):
    return x[1:2] - x[:1] * x[2:]


@known("a mass about another origin", 4, (3, 3, 0), "so(1,3)", "affine")
def shifted(x):
    return square(x - numbers([1, 2, -1, 0.5]), 1, -1, -1, -1)


@pytest.mark.parametrize("title", KNOWN)
def test_a_function_of_the_books_has_the_algebra_of_the_books(title):
    function, d, killing, name, family = KNOWN[title]
    unknowns = d * (d + (family == "affine"))
    x = torch.randn(100 + unknowns, d, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    space = null_space(torch.func.vmap(torch.func.jacrev(function))(x), x, family)
    assert space.n == sum(killing) and space.gap > 1e6, space.message
    closed = closure(matrices(space.family, space.coefficients))
    report = identify(closed.constants)
    assert closed.relative < 1e-18 and report.safe
    assert report.invariants["killing_signature"] == killing and name in report.names, report


def test_so40():
    "780 generators: their constants, 4 GB, are never asked for."
    x = torch.randn(2000, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    space = null_space(2 * x[:, None], x)
    closed, report = closure(space.coefficients, constants=False), identify_matrices(space.coefficients)
    assert space.n == 780 and closed.relative < 1e-18
    assert report.name == "so(40)" and report.safe and report.invariants["rank"] == 20


def test_what_has_no_name_gets_none():
    """The area of a triangle, among affine fields on its three corners: so(2,2) on two edges, and the centre moves by
    any affine function of all. Only so(2,2) and an sl(2,R) of the centre are semisimple."""
    def area(x):
        (a, b), (c, d) = x.reshape(3, 2).diff(dim=0)
        return (a * d - b * c)[None]
    x = torch.randn(200, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    space = null_space(torch.func.vmap(torch.func.jacrev(area))(x), x, "affine")
    report = identify(closure(matrices(space.family, space.coefficients)).constants)
    assert space.n == 6 + 2 * 7 and report.name is None and report.safe
    assert report.invariants["radical"] == 20 - 6 - 3
