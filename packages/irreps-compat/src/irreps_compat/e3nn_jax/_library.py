"""Functions of irreps_core and irreps_ops that accept and return the types of this package."""

import irreps_core as ic
import irreps_ops as irr

from ._irreps_array import of_functions, own_results

as_irreps_array = own_results(ic.as_irreps_array)
concatenate = own_results(ic.concatenate)
cross = own_results(ic.cross)
dot = own_results(ic.dot)
from_chunks = own_results(ic.from_chunks)
mean = own_results(ic.mean)
norm = own_results(ic.norm)
ones = own_results(ic.ones)
ones_like = own_results(ic.ones_like)
stack = own_results(ic.stack)
sum = own_results(ic.sum)
where = own_results(ic.where)
zeros = own_results(ic.zeros)
zeros_like = own_results(ic.zeros_like)
from_s2grid = own_results(irr.from_s2grid)
m0_values_to_irrepsarray = own_results(irr.m0_values_to_irrepsarray)
reduced_antisymmetric_tensor_product_basis = own_results(irr.reduced_antisymmetric_tensor_product_basis)
reduced_tensor_product_basis = own_results(irr.reduced_tensor_product_basis)
s2_dirac = own_results(irr.s2_dirac)
s2_irreps = own_results(irr.s2_irreps)
tensor_product_with_spherical_harmonics = own_results(irr.tensor_product_with_spherical_harmonics)
to_s2grid = own_results(irr.to_s2grid)
to_s2point = own_results(irr.to_s2point)
grad = of_functions(irr.grad)
vmap = of_functions(ic.vmap)
