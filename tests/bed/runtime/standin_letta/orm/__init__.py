"""Two tables, and the column whose default Letta's models leave out."""

from sqlalchemy import BigInteger, Column, String

from letta.orm.base import Base


class Agent(Base):
    __tablename__ = "agents"
    id = Column(String, primary_key=True)


class Message(Base):
    __tablename__ = "messages"
    id = Column(String, primary_key=True)
    sequence_id = Column(BigInteger, nullable=False)
