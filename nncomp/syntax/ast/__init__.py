"""The syntax tree of `.nn`: dataclasses, each with the span it was read from.

Nothing here knows what a name means; `nncomp.lower` does. Lists are tuples, so that a tree
can be shared and cached. Field order is source order.
"""

from nncomp.syntax.ast.base import Name as Name
from nncomp.syntax.ast.base import Node as Node
from nncomp.syntax.ast.base import node as node
from nncomp.syntax.ast.declarations import BlockDecl as BlockDecl
from nncomp.syntax.ast.declarations import ConstDecl as ConstDecl
from nncomp.syntax.ast.declarations import Decl as Decl
from nncomp.syntax.ast.declarations import File as File
from nncomp.syntax.ast.declarations import FnDecl as FnDecl
from nncomp.syntax.ast.declarations import Import as Import
from nncomp.syntax.ast.declarations import ImportedName as ImportedName
from nncomp.syntax.ast.declarations import ModelDecl as ModelDecl
from nncomp.syntax.ast.declarations import Parameter as Parameter
from nncomp.syntax.ast.expressions import Argument as Argument
from nncomp.syntax.ast.expressions import Attribute as Attribute
from nncomp.syntax.ast.expressions import Binary as Binary
from nncomp.syntax.ast.expressions import Bool as Bool
from nncomp.syntax.ast.expressions import Call as Call
from nncomp.syntax.ast.expressions import Comprehension as Comprehension
from nncomp.syntax.ast.expressions import Expr as Expr
from nncomp.syntax.ast.expressions import Float as Float
from nncomp.syntax.ast.expressions import ForClause as ForClause
from nncomp.syntax.ast.expressions import IfExpr as IfExpr
from nncomp.syntax.ast.expressions import Index as Index
from nncomp.syntax.ast.expressions import Int as Int
from nncomp.syntax.ast.expressions import ItemTarget as ItemTarget
from nncomp.syntax.ast.expressions import ListExpr as ListExpr
from nncomp.syntax.ast.expressions import NameTarget as NameTarget
from nncomp.syntax.ast.expressions import NoneLiteral as NoneLiteral
from nncomp.syntax.ast.expressions import Pipe as Pipe
from nncomp.syntax.ast.expressions import Ref as Ref
from nncomp.syntax.ast.expressions import Slice as Slice
from nncomp.syntax.ast.expressions import Splice as Splice
from nncomp.syntax.ast.expressions import String as String
from nncomp.syntax.ast.expressions import Target as Target
from nncomp.syntax.ast.expressions import TupleExpr as TupleExpr
from nncomp.syntax.ast.expressions import TupleTarget as TupleTarget
from nncomp.syntax.ast.expressions import TypeExpr as TypeExpr
from nncomp.syntax.ast.expressions import Unary as Unary
from nncomp.syntax.ast.statements import Assert as Assert
from nncomp.syntax.ast.statements import Assign as Assign
from nncomp.syntax.ast.statements import Carry as Carry
from nncomp.syntax.ast.statements import Cond as Cond
from nncomp.syntax.ast.statements import For as For
from nncomp.syntax.ast.statements import If as If
from nncomp.syntax.ast.statements import InputDecl as InputDecl
from nncomp.syntax.ast.statements import Loop as Loop
from nncomp.syntax.ast.statements import Metric as Metric
from nncomp.syntax.ast.statements import Minimize as Minimize
from nncomp.syntax.ast.statements import OutputDecl as OutputDecl
from nncomp.syntax.ast.statements import Return as Return
from nncomp.syntax.ast.statements import Scan as Scan
from nncomp.syntax.ast.statements import ScanInput as ScanInput
from nncomp.syntax.ast.statements import Section as Section
from nncomp.syntax.ast.statements import StateDecl as StateDecl
from nncomp.syntax.ast.statements import Stmt as Stmt
from nncomp.syntax.ast.statements import Update as Update
from nncomp.syntax.ast.statements import Yield as Yield
from nncomp.syntax.ast.statements import Yielded as Yielded
