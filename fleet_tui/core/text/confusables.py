"""Characters that look like others, from Unicode's table of confusables.

From confusables.txt of Unicode 13.0 (UTS #39), (c) 2020 Unicode, Inc., terms of use at
https://www.unicode.org/terms_of_use.html: single characters that NFKC leaves as they are, without
marks and blanks. Characters that look like ``rn`` there map to m here. Small capitals are added by
their names. Of those that resemble no ASCII character, only letters and digits that look like those
of another script are included.
"""

_TABLE = """\
! 1c3 2d51
& a778
' 2b9 2bb 2bc 2bd 2be 2c8 2ca 2cb 2f4 55a 55d 5d9 5f3 7f4 7f5 144a 16cc 2018 2019 201b 2032 2035
' a78c 16f51 16f52
'' 2ba 2ee 2f6 5f2 5f4 1cd3 201c 201d 201f 3003
'B 181
'D 18a
'P 1a4
'T 1ac
'Y 1b3
( 2768 2772 3014 fd3e
(( 2e28
) 2769 2773 3015 fd3f
)) 2e29
* 66d 204e 2217 1031f
+ 16ed 2795 1029b
, 60d 66b 201a a4f9
- 2d7 6d4 2010 2012 2013 2043 2212 2796 2cba
-. a4fe
. 660 6f0 701 702 a4f8 a60e 10a50 1d16d
., a4fb
.. a4fa
/ 1735 2041 2044 2215 2571 27cb 29f8 2cc6 3033 30ce 31d3 4e3f 1d23a
// 2afd
/// 2afb
2 1a7 3e8 14bf a644 a6ef a75a
3 1b7 21c 417 4e0 2ccc a76a a7ab 118ca 16f3b 1d206
4 13ce 118af
5 1bc 118bb
6 431 13ee 2cd2 118d5
7 104d2 118c6 1d212
8 222 223 9ea a6a b03 1031a 1e8cb
9 9ed a67 b68 d6d 2cca a76e 118ac 118cc 118d6
: 2d0 2f8 589 5c3 703 704 903 a83 16ec 1803 1809 205a 2236 a4fd a789
< 2c2 1438 16b2 2039 276e 1d236
<< 226a
<<< 22d8
= 1400 2e40 30a0 a4ff
> 2c3 1433 203a 276f 16f3f 1d237
>< 2aa5
>> 226b 2a20
>>> 22d9
? 241 294 97d 13ae a6eb
A 391 410 13aa 15c5 a4ee 102a0 16f40
AA a732
AE c6 4d4
AO a734
AR 1f707
AU a736
AV a738 a73a
AY a73c
B 392 412 13f4 15f7 a4d0 a7b4 10282 102a1 10301
C 421 13df 2ca4 a4da 102a2 10302 10415 1051c 118e9 118f2 1f74c
C' 187
D 13a0 15de 15ea a4d3
E 395 415 13ac 22ff 2d39 a4f0 10286 118a6 118ae
F 3dc 15b4 a4dd a798 10287 102a5 10525 118a2 118c2 1d213
G 50c 13c0 13f3 a4d6
G' 193
H 397 41d 13bb 157c 2c8e a4e7 102cf
J 37f 408 13ab 148d a4d9 a7b2
K 39a 41a 13e6 16d5 2c94 a4d7 10518
K' 198
L 13de 14aa 2cd0 a4e1 1041b 10526 118a3 118b2 16f16 1d22a
M 39c 3fa 41c 13b7 15f0 16d6 2c98 a4df 102b0 10311
MB 1f76b
N 39d 2c9a a4e0 10513
O 39f 41e 555 7c0 9e6 b20 b66 12d0 2c9e 2d54 3007 a4f3 10292 102ab 10404 104c2 10516 114d0 118b5
O 118e0
O' 1a0 13a4
OE 152
OO a698 a74e
P 3a1 420 13e2 146d 2ca2 a4d1 10295
P' 1486
Q 2d55
QE 1f700
R 1a6 13a1 13d2 1587 a4e3 104b4 16f35 1d216
S 405 54f 13d5 13da a4e2 10296 10420 16f3a
T 3a4 422 13a2 22a4 27d9 2ca6 a4d4 10297 102b1 10315 118bc 16f0a 1f768
T3 a728
U 54d 1200 144c 222a 22c3 a4f4 104ce 118b8 16f42
U' 1467
V 474 667 6f7 13d9 142f 2d38 a4e6 a6df 1051d 118a0 16f08 1d20d
VB 1f76c
W 51c 13b3 13d4 a4ea 118e6 118ef
X 3a7 425 166d 16b7 2573 2cac 2d5d a4eb a7b3 10290 102b4 10317 10322 10527 118ec
Y 3a5 423 4ae 13a9 13bd 2ca8 a4ec 102b2 118a4 16f43
Z 396 13c3 a4dc 102f5 118a9 118e5
\\ 2216 27cd 29f5 29f9 31d4 4e36 1d20f 1d23b
\\\\ 244a 2cf9
^ 2c4 2c6
_ 7fa
a 251 3b1 430 1d00 237a
aa a733
ae e6 4d5
ao a735
au a737
av a739 a73b
ay a73d
b 184 299 42c 13cf 1472 15af
b' 1488
bl 42b
c 441 1d04 2ca5 abaf 1043d
d 501 13e7 146f 1d05 a4d2
d' 1487
dz 2a3
e 435 4bd 1d07 212e ab32
f 584 1e9d a730 a799 ab35
g 18d 261 262 581 1d83
h 29c 4bb 570 13c2
i 131 269 26a 3b9 456 4cf 13a5 2373 a647 ab75 118c3
j 3f3 458 1d0a
k 1d0b
l 196 1c0 29f 399 406 4c0 5c0 5d5 5df 627 661 6f1 7ca 16c1 2223 23fd 2c92 2d4f a4f2 1028a 10309
l 10320 16f28 1e8c7
l' 5f1
lO 42e
ll 1c1 5f0 2016 2225
ls 2aa
lt 20b6
lz 2ab
m 1d0d 11700 118e3
n 274 578 57c
o 3bf 3c3 43e 585 5e1 647 665 6be 6c1 6d5 6f5 966 a66 ae6 be6 c02 c66 c82 ce6 d02 d20 d66 d82 e50
o ed0 101d 1040 10ff 1d0f 1d11 2c9f ab3d 1042c 104ea 118c8 118d7
o' 1a1
oe 153
oo 221e a699 a74f
p 3c1 440 1d18 2374 2ca3
q 51b 563 566 a7af
r 280 433 1d26 2c85 ab47 ab48 ab81
r' 491
s 1bd 455 a731 abaa 10448 118c1
sss 1f75c
t 1d1b
tf a777
ts 2a6
u 28b 3c5 57d 1d1c a79f ab4e ab52 104f6 118d8
ue 1d6b
uo ab63
v 3bd 475 5d8 1d20 2228 22c1 aba9 11706 118c0
w 26f 461 51d 561 1d21 ab83 1170a 1170e 1170f
x d7 445 1541 157d 166e 292b 292c 2a2f
y 263 28f 3b3 443 4af 10e7 1d8c 1eff ab5a 118dc
z 1d22 ab93 118c4
{ 2774 1d114
} 2775
~ 2053 223c
"""
"""A character, and the code points that look like it, in hexadecimal."""

LOOKS_LIKE = {
    int(code, 16): shown for shown, *codes in map(str.split, _TABLE.splitlines()) for code in codes
}
"""For ``str.translate``."""

_OTHERS = """\
b7 1427 a78f, de 3f7 104c4, df 3b2 13f0 a7b5, fe 1bf 3f8, 138 3ba 43a 1d0b 2c95 abb6, 185 44c ab9f
186 3fd 2183 a4db 10423, 18e 2d3a a4f1, 18f 4d8, 190 510 13cb 10401 16f2d, 1a8 3e9 1d24 a645
1a9 3a3 2d49, 1ab 163 21b 13bf, 1b1 162e 1634, 1dd 259 4d9, 1f6 50a, 21d 292 4e1 10f3 2ccd a76b
237 575, 242 ab7e, 245 39b 41b 668 6f8 1431 2d37 a4e5 a6ce 1028d 104b0 16f3d
254 37b 1d10 2184 1044b, 25c 437 1d08, 25e 10442, 262 50d 13fb ab90, 270 57a 1223, 277 1043f
278 3c6 444 2cab, 280 ab71 aba2, 28c 1d27 104d8, 28d 43c 1d0d ab87, 298 2d59 a668 104c3
299 432 13fc, 29a a79d 1042a, 29c 43d ab8b, 29f 2cd1 abae 10443, 2a1 a6cd
393 413 13b1 14a5 2c84 16f07, 394 1403 2c86 2d60 10285 102a3 16f1a, 3a0 41f 2ca0 a6db
3a6 424 553 1240 16f0 2caa 102b3, 3a8 470 16d8 2cae 102b5 104d1, 3a9 162f 1635 102b6
3bb 2c96 104db, 3c0 43f 1d28, 3c7 2cad ab53 ab55, 3c8 471 104f9, 3c9 2cb1 a64d a7b7, 3d7 2ce4
3d8 102ad 10312, 40b 104cd, 418 376 a6a1 10425, 428 2cbc, 448 2cbd, 459 ab60, 460 13c7 15ef
4c3 104bc, 548 1260 144e a4f5, 559 2bf, 571 1294, 629 f6 6c3, 62f 102e1, 635 102f2, 637 102e8
648 8b1 102e4, 662 6f2 a9cf, 663 6f3 1e8c9, 664 6f4, 666 6f6, 669 6f9 967 118e4, 93d abd, 968 ae8
969 ae9, 96a aea, 96e aee, 971 d4e, 998 11492, 99a 11494, 99c 11496, 99e 11498, 99f 11499
9a1 1149b, 9a3 114aa, 9a4 1149e, 9a5 1149f, 9a6 114a0, 9a7 114a1, 9a8 114a2, 9aa 114a3, 9ac 114a9
9ae 114a7, 9af 114a8, 9b0 114ab, 9b2 1149d, 9b7 114ad, 9b8 114ae, 9bd 114c4, 9e7 114d1, 9e8 114d2
9ec 114d6, b89 be8 d09, b90 b9c d1c, ba3 d23, bb4 d34, bb6 d36, c05 c85, c06 c86, c07 c87, c12 c92
c1c c9c, c1e c9e, c23 ca3, c2f caf, c31 cb1, c32 cb2, c67 ce7, c68 ce8, c6f cef, e08 e88, e1a e9a
e1b e9b, e1d e9d, e1e e9e, e1f e9f, e22 e8d, 1206 544, 1261 54c, 12ae 53b, 1323 54a, 13ef 1ff6
15e1 a4f7, 1660 a4ed, 16b9 a6b0, 16dc 10294 118b7, 16e6 104d0, 16ef 2d63, 1d00 ab7a, 1d05 ab70
1d07 ab7c, 1d0a ab7b, 1d0e 377 438 1044d, 1d18 1d29 abb2, 1d19 44f, 1d1b 3c4 442 ab72
1e9f 3b4 56e 1577, 2132 15b5 a4de, 276c 304f 21fe8, 2c3f a992, 2c6f 15c4 a4ef, 2c70 1041f
2c75 370 13a8 13b0 a6b1, 2c76 ab80, 2d40 102b8, 3078 30d8, 30fc 1173 4e00 a7f7, 4e28 1175
4e8c 30cb, 4ebb 30a4, 516b 30cf, 529b 30ab, 535c 30c8, 53e3 30ed 56d7, 5915 30bf, 5de5 30a8
a4d5 a7b1, a4e4 a79e, a4f6 10411 16f26, a64c a7b6, a658 16f1c, a669 104eb, a73e 3ff, a73f 37d
a786 10a0, a792 404 2c88, a793 25b 3b5 454 511 2c89 ab9b 10429 118ce, a7fb 15b7, a8fb 111dc
102a8 a69a, 10382 103d1, 10393 103d3, 1039a 12038, 10412 a79a, 1043a a79b, 1099e 132f9
"""
"""A representative, and the characters that look like it."""

ACROSS_SCRIPTS = {
    int(code, 16): chr(int(shown, 16))
    for shown, *codes in map(str.split, _OTHERS.replace(",", "\n").splitlines())
    for code in codes
}
"""For ``str.translate``; not meaningful between names of one script."""
