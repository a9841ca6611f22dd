"""How far the functions of mts1b_quantkit are from those of other libraries, on real prices."""
